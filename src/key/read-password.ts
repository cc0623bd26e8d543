import type { Reporter } from '../reporter.ts';
import { Secret } from '../secret.ts';
import type { PasswordSource } from './password.ts';
import { readBytes } from './source.ts';

/**
 * Reads a password. One line end behind it is cut: editors and `echo` put one there.
 *
 * @throws RolesAnywhereError PASSWORD_UNREADABLE
 */
export async function readPassword(
  source: Exclude<PasswordSource, { readonly type: 'prompt' }>,
  reporter: Reporter,
): Promise<Secret<Uint8Array>> {
  const what = source.type === 'file' ? 'password file' : 'password';
  const { bytes, exposed } = await readBytes(source, what, 'PASSWORD_UNREADABLE');
  if (exposed && source.type === 'file') {
    reporter.warn(`password file ${source.path} can be read by every user`, `chmod 600 ${source.path}`);
  }
  const lineEnd = bytes.at(-1) !== 0x0a ? 0 : bytes.at(-2) === 0x0d ? 2 : 1;
  const password = Uint8Array.from(bytes.subarray(0, bytes.length - lineEnd));
  bytes.fill(0);
  return new Secret(password);
}
