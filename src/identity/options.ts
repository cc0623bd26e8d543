import { RolesAnywhereError } from '../errors.ts';
import type { PasswordProvider } from '../key/password.ts';
import { parseReference } from '../key/reference.ts';
import type { Signer } from '../key/signer.ts';
import type { Streams } from '../key/source.ts';
import type { Reporter } from '../reporter.ts';

export interface IdentityOptions {
  /**
   * A path, `-`, `env:NAME` or `fd:N` of PEM, DER or PKCS#12, or a `pkcs11:` URI; or the bytes themselves. Left out, the
   * certificate is taken from beside the key.
   */
  readonly certificate?: string | Uint8Array;
  /** The same; left out, the key is taken from beside the certificate. */
  readonly privateKey?: string | Uint8Array;
  /** The caller's own key, in place of `privateKey`: it stays open, and the caller's to close. */
  readonly signer?: Pick<Signer, 'keyType' | 'publicKey' | 'sign'>;
  /**
   * Which certificate of several: `Key=x509Subject,Value=… Key=x509Serial,Value=…`, JSON, or `file://` and the path of
   * a JSON file. Left out, it is the one that the key belongs to.
   */
  readonly certificateSelector?: string;
  /** Of several certificates that the selector matches, take the one that expires last. */
  readonly useLatestExpiring?: boolean;
  /** Issuers to choose from, in any order, beside those in the certificate's source. */
  readonly intermediates?: string | Uint8Array;
  /** Where the password of an encrypted key, or the PIN of a token, comes from: asked once, when it is needed. */
  readonly keyPassword?: PasswordProvider;
  /** The authorisation of the key that a TPM key was made under, or of its hierarchy. */
  readonly tpmParentPassword?: PasswordProvider;
  /** The PKCS #11 module to load for a `pkcs11:` URI that names none; p11-kit's proxy unless given. */
  readonly pkcs11Library?: string;
  /** Whether a token's key that asks for the PIN at each signature gets that of the login. */
  readonly reusePin?: boolean;
  /** How long a token or TPM may stay silent (60). */
  readonly timeoutSeconds?: number;
  /** Remembers what streams held, for who opens the same identity again. */
  readonly streams?: Streams;
  readonly now?: () => Date;
  readonly reporter?: Reporter;
}

/**
 * The files that an identity is read from: when one of them changes, it is worth opening again.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function identityFiles(options: IdentityOptions): readonly string[] {
  const references = [
    parse(options.certificate, '--certificate', parseReference),
    parse(options.privateKey, '--private-key', parseReference),
    parse(options.intermediates, '--intermediates', parseReference),
  ];
  return [
    ...references.map((reference) => (reference?.type === 'file' ? reference.path : undefined)),
    selectorFile(options.certificateSelector),
    options.keyPassword?.file,
    options.tpmParentPassword?.file,
  ].filter((path) => path !== undefined);
}

/** Whether a session with a token stays open as long as the identity does. */
export function isOnToken({ certificate, privateKey }: IdentityOptions): boolean {
  return [certificate, privateKey].some(
    (source) => typeof source === 'string' && source.startsWith('pkcs11:'),
  );
}

export function parse<T>(
  given: string | Uint8Array | undefined,
  option: string,
  parser: (text: string, option: string) => T,
): T | { readonly type: 'memory'; readonly bytes: Uint8Array } | undefined {
  if (given === undefined) return undefined;
  return typeof given === 'string' ? parser(given, option) : { type: 'memory', bytes: given };
}

export function selectorFile(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /^file:\/\/(.*)$/s.exec(text)?.[1];
}

export function missing(option: string, why = ''): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', `${option} is missing${why}`);
}
