import { isDer } from '../encoding/der.ts';
import { RolesAnywhereError } from '../errors.ts';

/** Where bytes are read from: what every key and certificate option takes. */
export type SourceReference =
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'stdin' }
  | { readonly type: 'environment'; readonly name: string }
  | { readonly type: 'descriptor'; readonly descriptor: number }
  /** Given by a program; the command line has no word for it. */
  | { readonly type: 'memory'; readonly bytes: Uint8Array };

/** What `--private-key` may name. A new backend is one more member here and one case in `open.ts`. */
export type KeyReference =
  | SourceReference
  /** A PKCS #11 URI (RFC 7512), which may hold a PIN: never to be shown as it stands. */
  | { readonly type: 'pkcs11'; readonly uri: string }
  /** A key that is in the TPM already. */
  | { readonly type: 'tpm'; readonly handle: number };

/**
 * Reads a reference as it stands on the command line: a path, `-`, `env:NAME`, `fd:N`, a `pkcs11:` URI (RFC 7512) or
 * `handle:0x81…`. A file whose name looks like one of these is reached as `./env:NAME`.
 *
 * @param option the option that it belongs to, for error messages
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function parseReference(text: string, option: string): KeyReference {
  const [, scheme, rest = text] = /^(env|fd|pkcs11|handle):(.*)$/s.exec(text) ?? [];
  const invalid = (why: string, hint: string) =>
    new RolesAnywhereError('INVALID_ARGUMENT', `${option} ${why}`, { hint });
  if (text === '') throw invalid('is empty', 'a variable in the command may be unset');
  // A key must not reach a message, as the name of a file that does not exist.
  if (holdsContents(rest)) {
    throw invalid(
      'holds a key or certificate itself',
      'put it into an environment variable and write env:NAME',
    );
  }
  switch (scheme) {
    case 'env':
      if (rest === '') throw invalid('names no variable behind env:', 'write it as in env:NAME');
      return { type: 'environment', name: rest };
    case 'fd':
      if (!/^\d{1,6}$/.test(rest)) throw invalid('has no number behind fd:', 'write it as in fd:3');
      // Standard input by another name: both options may mean it, and it can be read only once.
      return Number(rest) === 0 ? { type: 'stdin' } : { type: 'descriptor', descriptor: Number(rest) };
    case 'pkcs11':
      return { type: 'pkcs11', uri: text };
    case 'handle':
      // With or without 0x, always hexadecimal: as the old helper reads it.
      if (!/^(0x)?[\da-f]{1,8}$/i.test(rest)) {
        throw invalid('has no hexadecimal number behind handle:', 'write it as in handle:0x81000001');
      }
      return { type: 'tpm', handle: Number.parseInt(rest, 16) };
    default:
      return text === '-' ? { type: 'stdin' } : { type: 'file', path: text };
  }
}

/** Where a certificate can be: wherever a key can, but not in a TPM. */
export type CertificateReference = Exclude<KeyReference, { readonly type: 'tpm' }>;

/**
 * `parseReference` for certificates.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function parseCertificateReference(text: string, option: string): CertificateReference {
  const reference = parseReference(text, option);
  if (reference.type !== 'tpm') return reference;
  throw new RolesAnywhereError(
    'INVALID_ARGUMENT',
    `${option} names a TPM handle, which holds no certificate`,
  );
}

/**
 * `parseReference` for bundles of certificates, which are files or streams.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function parseSource(text: string, option: string): SourceReference {
  const reference = parseCertificateReference(text, option);
  if (reference.type !== 'pkcs11') return reference;
  throw new RolesAnywhereError('INVALID_ARGUMENT', `${option} names a PKCS#11 token, and takes a file`, {
    hint: 'issuers on the token of the certificate are found there',
  });
}

/** PEM, or the base64 of DER, where the name of a file is expected. */
function holdsContents(text: string): boolean {
  return (
    text.includes('-----BEGIN') ||
    (/^M[\w+/\s-]{60,}={0,2}$/.test(text) && isDer(Buffer.from(text, 'base64')))
  );
}
