import type { Reporter } from '../reporter.ts';
import { Secret } from '../secret.ts';
import { once } from './password.ts';
import type { PasswordProvider, PasswordSource } from './password.ts';
import { readBytes } from './source.ts';

/**
 * Reads a password from where its option says, when it is first needed, and remembers it. One line end behind it is
 * cut: editors and `echo` put one there.
 *
 * @param prompt asks a person
 */
export function passwordFrom(
  source: PasswordSource,
  prompt: PasswordProvider,
  reporter: Reporter,
): PasswordProvider {
  if (source.type === 'prompt') return once(prompt);
  return once(async () => {
    const { bytes, exposed } = await readBytes(source, 'the password', 'PASSWORD_UNREADABLE');
    if (exposed && source.type === 'file') {
      reporter.warn(`password file ${source.path} can be read by every user`, `chmod 600 ${source.path}`);
    }
    const lineEnd = bytes.at(-1) !== 0x0a ? 0 : bytes.at(-2) === 0x0d ? 2 : 1;
    const password = Uint8Array.from(bytes.subarray(0, bytes.length - lineEnd));
    bytes.fill(0);
    return new Secret(password);
  });
}
