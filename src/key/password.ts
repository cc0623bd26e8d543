import { RolesAnywhereError } from '../errors.ts';
import type { Secret } from '../secret.ts';

/** `TPM password`: one that may not be there, which a person then says by an empty answer. */
export type PasswordKind = 'password' | 'TPM password' | 'PIN';

/**
 * Gives the password of a key, the PIN of a token or the authorisation of a TPM object, as UTF-8. Called only once it
 * is known that one is needed, since reading it may consume a pipe or ask a person; asked again, it answers the same.
 * Whoever gets the bytes leaves them as they are: they may be needed again.
 *
 * @param what what the password opens, for a prompt: `private key leaf.key`, `token demo`
 * @param kind what a prompt asks for: a password unless told otherwise
 * @throws RolesAnywhereError PASSWORD_UNREADABLE
 */
export interface PasswordProvider {
  (what: string, kind?: PasswordKind): Promise<Secret<Uint8Array>>;
  /**
   * It is there just in case, as a person at a terminal is: what costs nothing to try without a password is tried
   * first. Throws PASSWORD_REQUIRED where nobody can be asked.
   */
  readonly isLastResort?: boolean;
  /** The file that it reads, where it reads one. */
  readonly file?: string;
}

/** What `--key-password-from` and `--tpm-parent-password-from` may say. */
export type PasswordSource =
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'environment'; readonly name: string }
  | { readonly type: 'descriptor'; readonly descriptor: number }
  | { readonly type: 'stdin' }
  | { readonly type: 'prompt' };

/**
 * Reads `file:PATH`, `env:NAME`, `fd:N`, `stdin` or `prompt`.
 *
 * @param option the option that the text belongs to, for error messages
 * @throws RolesAnywhereError INVALID_ARGUMENT, which never repeats the text: it may be the password itself
 */
export function parsePasswordSource(text: string, option: string): PasswordSource {
  const invalid = (why: string) =>
    new RolesAnywhereError('INVALID_ARGUMENT', `${option} ${why}`, {
      hint: 'write file:PATH, env:NAME, fd:N, stdin or prompt',
    });
  if (text === 'stdin' || text === 'prompt') return { type: text };
  const [, scheme, rest = ''] = /^(file|env|fd):(.*)$/s.exec(text) ?? [];
  switch (scheme) {
    case 'file':
      if (rest === '') throw invalid('names no file behind file:');
      return { type: 'file', path: rest };
    case 'env':
      if (rest === '') throw invalid('names no variable behind env:');
      return { type: 'environment', name: rest };
    case 'fd':
      if (!/^\d{1,6}$/.test(rest)) throw invalid('has no number behind fd:');
      // The same stream by another name.
      return Number(rest) === 0 ? { type: 'stdin' } : { type: 'descriptor', descriptor: Number(rest) };
    default:
      throw invalid('does not say where the password is');
  }
}

/**
 * Asks once, and remembers the answer; a failure is not remembered.
 *
 * @param version another one means that there may be another answer: that of the file which the answer comes from
 */
export function once(provider: PasswordProvider, version: () => string = () => ''): PasswordProvider {
  let answer: Promise<Secret<Uint8Array>> | undefined;
  let answered: string | undefined;
  return (what, kind) => {
    const current = version();
    if (current !== answered) answer = undefined;
    answered = current;
    return (answer ??= provider(what, kind).catch((error: unknown) => {
      answer = undefined;
      throw error;
    }));
  };
}

/** `once` for each thing that is asked for: a person decides for every one of them. */
export function onceEach(provider: PasswordProvider): PasswordProvider {
  const providers = new Map<string, PasswordProvider>();
  return (what, kind) => {
    const known = providers.get(what) ?? once(provider);
    providers.set(what, known);
    return known(what, kind);
  };
}
