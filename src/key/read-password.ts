import { RolesAnywhereError } from '../errors.ts';
import type { Reporter } from '../reporter.ts';
import { Secret } from '../secret.ts';
import type { PasswordSource } from './password.ts';
import { maximumSize, nameOf, readBytes } from './source.ts';

/**
 * Reads a password or PIN. One line end behind it is cut: editors and `echo` put one there.
 *
 * @throws RolesAnywhereError PASSWORD_UNREADABLE
 */
export async function readPassword(
  source: Exclude<PasswordSource, { readonly type: 'prompt' }>,
  reporter: Reporter,
  kind: 'password' | 'PIN' = 'password',
): Promise<Secret<Uint8Array>> {
  const what = source.type === 'file' ? `${kind} file` : kind;
  const { bytes, exposed } = await readBytes(source, what, 'PASSWORD_UNREADABLE');
  if (bytes.length > maximumSize) {
    bytes.fill(0);
    throw new RolesAnywhereError(
      'PASSWORD_UNREADABLE',
      `the ${what} ${nameOf(source)} is larger than 1 MiB`,
      {
        hint: 'it is probably another file than you meant',
      },
    );
  }
  if (exposed && source.type === 'file') {
    reporter.warn(`${what} ${source.path} can be read by every user`, `chmod 600 ${source.path}`);
  }
  const lineEnd = bytes.at(-1) !== 0x0a ? 0 : bytes.at(-2) === 0x0d ? 2 : 1;
  const password = Uint8Array.from(bytes.subarray(0, bytes.length - lineEnd));
  bytes.fill(0);
  return new Secret(password);
}
