import { UnsupportedEncodingError } from '../encoding/encoding-error.ts';
import { RolesAnywhereError } from '../errors.ts';
import type { PasswordKind, PasswordProvider } from './password.ts';

/**
 * Asks for the password of something encrypted, and opens it.
 *
 * @param what as messages and a prompt shall call it: `private key leaf.key`
 * @param open gives undefined when the password is wrong, of which no more is ever said: not at which step, nor how
 * @throws RolesAnywhereError PASSWORD_REQUIRED, PASSWORD_UNREADABLE, PASSWORD_WRONG or KEY_UNSUPPORTED
 * @throws EncodingError
 */
export async function unlock<T>(
  what: string,
  keyPassword: PasswordProvider | undefined,
  open: (password: Uint8Array) => Promise<T | undefined>,
): Promise<T> {
  if (keyPassword === undefined) throw passwordRequired(what, 'and no password is given');
  const password = await keyPassword(what);
  const opened = await supported(what, () => open(password.expose()));
  if (opened !== undefined) return opened;
  // Tried all the same: a file may be encrypted with an empty one.
  if (password.expose().length === 0) throw passwordRequired(what, 'and the password that is given is empty');
  throw new RolesAnywhereError('PASSWORD_WRONG', `the password of ${what} is wrong`);
}

/** What is missing when nobody says the password. */
export function passwordRequired(
  what: string,
  why: string,
  kind: PasswordKind = 'password',
): RolesAnywhereError {
  const state = { password: 'is encrypted', 'TPM password': 'needs a password', PIN: 'needs a PIN' }[kind];
  const name = kind === 'PIN' ? 'PIN' : 'password';
  return new RolesAnywhereError('PASSWORD_REQUIRED', `${what} ${state}, ${why}`, {
    hint: `say where its ${name} is: --key-password-from file:PATH, env:NAME, fd:N, stdin or prompt`,
  });
}

/** @throws RolesAnywhereError KEY_UNSUPPORTED by the name of what the encoding asks for */
export async function supported<T>(what: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    if (!(error instanceof UnsupportedEncodingError)) throw error;
    throw new RolesAnywhereError('KEY_UNSUPPORTED', `${what} uses ${error.message}: that is not supported`, {
      hint: 'encrypt it anew, as OpenSSL 3 does by default',
    });
  }
}
