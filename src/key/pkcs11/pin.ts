import { fileURLToPath } from 'node:url';
import { RolesAnywhereError } from '../../errors.ts';
import type { Reporter } from '../../reporter.ts';
import { Secret } from '../../secret.ts';
import type { PasswordProvider } from '../password.ts';
import { readPassword } from '../read-password.ts';
import type { PinQuestion } from './protocol.ts';
import type { Pkcs11Uri } from './uri.ts';

export interface PinSources {
  /** The URIs that may say it, the key's before the certificate's. */
  readonly uris: readonly Pkcs11Uri[];
  readonly provider: PasswordProvider | undefined;
  /** Whether the login's PIN also serves a key that asks for one at each signature. */
  readonly reuse: boolean;
  readonly reporter: Reporter;
}

/**
 * Answers what the module's process asks. The PIN of the login is kept, so that a token that comes back can be
 * logged in to again; one that was wrong is not offered a second time, since tokens count.
 */
export class PinKeeper {
  readonly #sources: PinSources;
  #login: Secret<string> | undefined;
  #offered: Secret<string> | undefined;
  #wrong: RolesAnywhereError | undefined;

  constructor(sources: PinSources) {
    this.#sources = sources;
  }

  /** @throws RolesAnywhereError PASSWORD_REQUIRED, PASSWORD_WRONG, PASSWORD_UNREADABLE, INVALID_ARGUMENT */
  async answer(question: PinQuestion): Promise<Secret<string>> {
    const pin = await (question.purpose === 'login'
      ? this.#forLogin(question)
      : this.#forSignature(question));
    if (pin.expose() === '') {
      // No token has an empty one, and most would count it as a wrong one.
      this.#login = undefined;
      throw new RolesAnywhereError(
        'PASSWORD_REQUIRED',
        `the PIN that is given for ${question.token} is empty`,
        {
          hint: 'look into what --key-password-from, pin-source= or pin-value= names: a stream gives a PIN once',
        },
      );
    }
    if (this.#wrong !== undefined && pin.expose() === this.#offered?.expose()) throw this.#wrong;
    this.#wrong = undefined;
    this.#offered = pin;
    return pin;
  }

  /** The token refused what was offered last. */
  refused(error: RolesAnywhereError): void {
    this.#wrong = error;
    this.#login = undefined;
  }

  async #forLogin({ token }: PinQuestion): Promise<Secret<string>> {
    this.#login ??= (await this.#fromUri()) ?? (await this.#ask(token));
    if (this.#login !== undefined) return this.#login;
    throw new RolesAnywhereError('PASSWORD_REQUIRED', `the PIN of ${token} is needed`, {
      hint: 'give it with --key-password-from file:PATH, env:NAME, fd:N, stdin or prompt, or with pin-source= in the URI',
    });
  }

  async #forSignature(question: PinQuestion): Promise<Secret<string>> {
    if (this.#sources.reuse) return this.#forLogin(question);
    const pin = await this.#ask(`${question.token}, for this signature`);
    if (pin !== undefined) return pin;
    throw new RolesAnywhereError(
      'PASSWORD_REQUIRED',
      `the key on ${question.token} asks for the PIN at each signature`,
      { hint: 'use --reuse-pin to give it the PIN of the login each time' },
    );
  }

  /** Undefined when there is nobody to ask. */
  async #ask(what: string): Promise<Secret<string> | undefined> {
    try {
      const pin = await this.#sources.provider?.(what, 'PIN');
      return pin && toText(pin);
    } catch (error) {
      if (error instanceof RolesAnywhereError && error.code === 'PASSWORD_REQUIRED') return undefined;
      throw error;
    }
  }

  async #fromUri(): Promise<Secret<string> | undefined> {
    for (const { pinValue, pinSource } of this.#sources.uris) {
      if (pinValue !== undefined) return pinValue;
      if (pinSource !== undefined) return readPinSource(pinSource, this.#sources.reporter);
    }
    return undefined;
  }
}

/**
 * RFC 7512, section 2.3: a `file:` URI, or just a path. Its `|command` is refused: a URI that runs programs is a
 * trap for whoever pastes one.
 */
async function readPinSource(source: string, reporter: Reporter): Promise<Secret<string>> {
  if (source.startsWith('|')) throw refused('it would run a command');
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(source)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'file') throw refused(`${scheme}: is not supported`);
  let path = source;
  try {
    // `file:relative` is no file URI, but people write it.
    if (scheme !== undefined) path = /^file:[^/]/i.test(source) ? source.slice(5) : fileURLToPath(source);
  } catch {
    throw refused('its file: URI names no local file');
  }
  return toText(await readPassword({ type: 'file', path }, reporter, 'PIN'));
}

function toText(pin: Secret<Uint8Array>): Secret<string> {
  return new Secret(Buffer.from(pin.expose()).toString('utf8'));
}

function refused(reason: string): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', `pin-source of a PKCS#11 URI is not usable: ${reason}`, {
    hint: 'name a file that holds the PIN, or use --key-password-from',
  });
}
