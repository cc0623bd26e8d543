import type { Certificate } from './certificate/certificate.ts';
import { findLeaf, isValid, orderIssuers } from './certificate/chain.ts';
import { readCertificates } from './certificate/read.ts';
import { checkSuitability, describeCertificate } from './certificate/suitability.ts';
import { describeContents } from './encoding/contents.ts';
import { isDer } from './encoding/der.ts';
import { RolesAnywhereError } from './errors.ts';
import { openKey } from './key/open.ts';
import type { PasswordProvider } from './key/password.ts';
import { parseReference } from './key/reference.ts';
import type { KeyReference } from './key/reference.ts';
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
  /** Where the password of an encrypted key, or the PIN of a token, comes from: asked once, when it is needed. */
  readonly keyPassword?: PasswordProvider;
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
  const certificateReference = parseOptional(options.certificate, '--certificate');
  const keyReference = parseOptional(options.privateKey, '--private-key') ?? certificateReference;
  const intermediatesReference = parseOptional(options.intermediates, '--intermediates');
  if (keyReference === undefined) throw missing('--certificate');

  const sources = new Sources();
  let signer: Signer | undefined;
  try {
    // The certificates come first: opening a key may cost a question to the user.
    let certificates =
      certificateReference && (await readBundle(certificateReference, 'certificate', sources));
    const intermediates =
      intermediatesReference && (await readBundle(intermediatesReference, 'intermediates', sources));
    if (options.privateKey === undefined) await expectKeyBeside(keyReference, sources);

    const { keyPassword } = options;
    signer = await openKey(keyReference, { sources, reporter, keyPassword, certificates });
    certificates ??= await readCertificatesBeside(keyReference, sources);
    const certificate = findLeaf(certificates, signer.publicKey, now);
    if (certificate === undefined) throw mismatch(certificates);
    checkSuitability(certificate, now, reporter);
    const chain = orderIssuers(certificate, [...certificates, ...(intermediates ?? [])], now);
    for (const issuer of chain) {
      if (!isValid(issuer, now))
        reporter.warn(`the issuer, ${describeCertificate(issuer)}, is not valid now`);
    }
    reporter.debug(`${describeCertificate(certificate)}, ${chain.length} of its issuers sent along`);
    return new OpenIdentity(signer, certificate, chain);
  } catch (error) {
    await signer?.[Symbol.asyncDispose]();
    throw error;
  } finally {
    sources[Symbol.dispose]();
  }
}

class OpenIdentity implements Identity {
  readonly signer: Signer;
  readonly certificate: Certificate;
  readonly chain: readonly Certificate[];

  constructor(signer: Signer, certificate: Certificate, chain: readonly Certificate[]) {
    this.signer = signer;
    this.certificate = certificate;
    this.chain = chain;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.signer[Symbol.asyncDispose]();
  }
}

function parseOptional(text: string | undefined, option: string): KeyReference | undefined {
  return text === undefined ? undefined : parseReference(text, option);
}

function missing(option: string, why = ''): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', `${option} is missing${why}`);
}

/** The certificates in a source that must hold some. */
async function readBundle(
  reference: KeyReference,
  purpose: 'certificate' | 'intermediates',
  sources: Sources,
): Promise<readonly Certificate[]> {
  if (reference.type === 'pkcs11' || reference.type === 'tpm') {
    throw new RolesAnywhereError('KEY_UNSUPPORTED', `a ${purpose} on a token or TPM is not supported yet`);
  }
  const { bytes, name } = await sources.read(reference, purpose);
  const certificates = readCertificates(bytes, name);
  if (certificates.length > 0) return certificates;
  throw new RolesAnywhereError(
    'CERTIFICATE_INVALID',
    `${purpose} ${name} holds no certificate: ${describeContents(bytes)}`,
  );
}

async function readCertificatesBeside(key: KeyReference, sources: Sources): Promise<readonly Certificate[]> {
  if (key.type === 'pkcs11' || key.type === 'tpm') throw missing('--certificate');
  const { bytes, name } = await sources.read(key, 'private key');
  const certificates = isDer(bytes) ? [] : readCertificates(bytes, name);
  if (certificates.length === 0) throw missing('--certificate', `: private key ${name} stands alone`);
  return certificates;
}

async function expectKeyBeside(certificate: KeyReference, sources: Sources): Promise<void> {
  if (certificate.type === 'pkcs11' || certificate.type === 'tpm') return;
  const { bytes, name } = await sources.read(certificate, 'certificate');
  const { holdsPrivateKey } = await import('./key/file/open.ts');
  if (!holdsPrivateKey(bytes)) throw missing('--private-key', `: certificate ${name} stands alone`);
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
