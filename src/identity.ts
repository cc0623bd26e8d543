import type { Certificate } from './certificate/certificate.ts';
import { findLeaf, isValid, orderIssuers } from './certificate/chain.ts';
import { readCertificates } from './certificate/read.ts';
import { checkSuitability, describeCertificate } from './certificate/suitability.ts';
import { describeContents } from './encoding/contents.ts';
import { RolesAnywhereError } from './errors.ts';
import { openKey } from './key/open.ts';
import { parseReference, parseSource } from './key/reference.ts';
import type { KeyReference, SourceReference } from './key/reference.ts';
import type { Signer } from './key/signer.ts';
import { Sources } from './key/source.ts';
import { silent } from './reporter.ts';
import type { Reporter } from './reporter.ts';

/** A key with the certificate that it belongs to and the issuers to send along: checked to fit each other. */
export interface Identity extends AsyncDisposable {
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** The leaf's issuer first; without the leaf and without the root; at most 5. */
  readonly chain: readonly Certificate[];
}

export interface IdentityOptions {
  /** A path, `-`, `env:NAME` or `fd:N`, PEM or DER; left out, the certificate is taken from beside the key. */
  readonly certificate?: string;
  /** The same; left out, the key is taken from beside the certificate. */
  readonly privateKey?: string;
  /** Issuers to choose from, in any order, beside those in the certificate's source. */
  readonly intermediates?: string;
  readonly now?: () => Date;
  readonly reporter?: Reporter;
}

/**
 * Opens a key, finds the certificate that belongs to it and puts its issuers in order. What the service is known to
 * refuse is refused here, before any request.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, and every code of certificates and keys but SIGNING_FAILED
 */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { reporter = silent } = options;
  const now = options.now?.() ?? new Date();
  const fromCertificate = parse(options.certificate, '--certificate', parseSource);
  const fromIntermediates = parse(options.intermediates, '--intermediates', parseSource);
  const fromKey = parse(options.privateKey, '--private-key', parseReference);

  const sources = new Sources();
  let opened: Signer | undefined;
  try {
    // The certificates come first: opening a key may cost a question to the user.
    const given = fromCertificate && (await readBundle(fromCertificate, 'certificate', sources));
    const intermediates =
      fromIntermediates && (await readBundle(fromIntermediates, 'intermediates', sources));
    const key = fromKey ?? (await keyBeside(fromCertificate, sources));
    const signer = (opened = await openKey(key, sources, reporter));
    const certificates = given ?? (await certificatesBeside(fromKey, sources));
    const certificate = findLeaf(certificates, signer.publicKey, now);
    if (certificate === undefined) throw mismatch(certificates);
    checkSuitability(certificate, now, reporter);
    const chain = orderIssuers(certificate, [...certificates, ...(intermediates ?? [])], now);
    for (const issuer of chain) {
      if (isValid(issuer, now)) continue;
      reporter.warn(`the issuer, ${describeCertificate(issuer)}, is not valid now`);
    }
    reporter.debug(`${describeCertificate(certificate)}, ${chain.length} of its issuers sent along`);
    return { signer, certificate, chain, [Symbol.asyncDispose]: () => signer[Symbol.asyncDispose]() };
  } catch (error) {
    await opened?.[Symbol.asyncDispose]();
    throw error;
  } finally {
    sources[Symbol.dispose]();
  }
}

function parse<T>(text: string | undefined, option: string, parser: (text: string, option: string) => T) {
  return text === undefined ? undefined : parser(text, option);
}

/** The certificates in a source that must hold some. */
async function readBundle(
  reference: SourceReference,
  purpose: 'certificate' | 'intermediates',
  sources: Sources,
): Promise<readonly Certificate[]> {
  const { bytes, name } = await sources.read(reference, purpose);
  const certificates = readCertificates(bytes, name);
  if (certificates.length > 0) return certificates;
  throw new RolesAnywhereError(
    'CERTIFICATE_INVALID',
    `${purpose} ${name} holds no certificate: ${describeContents(bytes)}`,
  );
}

/** Without `--private-key` the certificate's own source must hold the key. */
async function keyBeside(
  certificate: SourceReference | undefined,
  sources: Sources,
): Promise<SourceReference> {
  if (certificate === undefined) throw missing('--certificate');
  const { bytes, name } = await sources.read(certificate, 'certificate');
  const { holdsPrivateKey } = await import('./key/file/open.ts');
  if (!holdsPrivateKey(bytes))
    throw missing('--private-key', `, and certificate ${name} holds no private key`);
  return certificate;
}

/** Without `--certificate` the key's own source must hold the certificate. */
async function certificatesBeside(
  key: KeyReference | undefined,
  sources: Sources,
): Promise<readonly Certificate[]> {
  if (key === undefined || key.type === 'pkcs11' || key.type === 'tpm') throw missing('--certificate');
  const { bytes, name } = await sources.read(key, 'private key');
  const certificates = readCertificates(bytes, name);
  if (certificates.length === 0)
    throw missing('--certificate', `, and private key ${name} holds no certificate`);
  return certificates;
}

function missing(option: string, why = ''): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', `${option} is missing${why}`);
}

function mismatch(certificates: readonly Certificate[]): RolesAnywhereError {
  const [first] = certificates;
  return new RolesAnywhereError(
    'KEY_CERTIFICATE_MISMATCH',
    certificates.length === 1 && first !== undefined
      ? `the private key does not belong to ${describeCertificate(first)}`
      : `the private key belongs to none of the ${certificates.length} certificates`,
    { hint: 'name the key and the certificate that were made together' },
  );
}
