import type { Certificate } from '../certificate/certificate.ts';
import type { CertificateSelector } from '../certificate/selector.ts';
import { describeContents } from '../encoding/contents.ts';
import { RolesAnywhereError } from '../errors.ts';
import { certificatesIn } from '../key/certificates.ts';
import { onToken } from '../key/open.ts';
import type { PasswordProvider } from '../key/password.ts';
import { parseCertificateReference, parseReference } from '../key/reference.ts';
import type { KeyReference, SourceReference } from '../key/reference.ts';
import type { Signer } from '../key/signer.ts';
import { Sources } from '../key/source.ts';
import { closedOnFailure, openKeyOf, opening } from './key.ts';
import { missing, parse, selectorFile } from './options.ts';
import type { IdentityOptions } from './options.ts';

/** A certificate on a token has a URI of its own. */
export type ListedCertificate = Certificate & { readonly uri?: string };

/**
 * The certificates in a source, in its order; with a selector, those that match. Those on tokens are in the order of
 * their URIs.
 *
 * @throws as `openIdentity` does
 */
export async function listCertificates(options: IdentityOptions): Promise<readonly ListedCertificate[]> {
  const from = parse(options.certificate, '--certificate', parseCertificateReference);
  using sources = new Sources(options.streams);
  const selector = await readSelector(options, sources);
  if (from === undefined) throw selector ? noStore() : missing('--certificate');
  if (from.type === 'pkcs11') {
    const { listPkcs11Certificates } = await import('../key/pkcs11/open.ts');
    const listed = await listPkcs11Certificates({
      ...onToken(opening(options)),
      certificate: from.uri,
      select: selector && ((candidate: Certificate) => selector.matches(candidate)),
    });
    return listed.map(({ certificate, uri }) => ({ ...certificate, uri }));
  }
  const certificates = await readBundle(from, 'certificate', sources, options.keyPassword);
  if (selector === undefined) return certificates;
  const { matchingCertificates } = await import('../certificate/selector.ts');
  return matchingCertificates(certificates, selector, asGiven(options.certificate));
}

interface Found {
  readonly found: readonly Certificate[];
  /** Those among them that the key may belong to: the selected one, or all. */
  readonly eligible: readonly Certificate[];
  /** The key, where finding the certificates opened it: on a token each may be found by the other. */
  readonly signer?: Signer;
}

export async function findCertificates(options: IdentityOptions, sources: Sources): Promise<Found> {
  const { keyPassword, useLatestExpiring = false } = options;
  const fromCertificate = parse(options.certificate, '--certificate', parseCertificateReference);
  const fromKey = parse(options.privateKey, '--private-key', parseReference);
  const selector = await readSelector(options, sources);
  if (selector && !fromCertificate && !fromKey) throw noStore();
  if (fromCertificate?.type === 'pkcs11')
    return openTokens(options, fromCertificate.uri, fromKey, selector, sources);
  let found: readonly Certificate[];
  if (fromCertificate) found = await readBundle(fromCertificate, 'certificate', sources, keyPassword);
  else if (fromKey?.type === 'pkcs11') return openTokens(options, undefined, fromKey, selector, sources);
  else found = await certificatesBeside(fromKey, sources, keyPassword);
  if (selector === undefined) return { found, eligible: found };
  const { selectCertificate } = await import('../certificate/selector.ts');
  const where = asGiven(options.certificate ?? options.privateKey);
  return { found, eligible: [selectCertificate(found, selector, useLatestExpiring, where)] };
}

/** A certificate on a token with its key, which may be anywhere; or a key on a token with its certificate there. */
async function openTokens(
  options: IdentityOptions,
  certificate: string | undefined,
  key: KeyReference | undefined,
  selector: CertificateSelector | undefined,
  sources: Sources,
): Promise<Found> {
  const { openPkcs11 } = await import('../key/pkcs11/open.ts');
  const settings = {
    ...onToken(opening(options)),
    certificate,
    select: selector && ((candidate: Certificate) => selector.matches(candidate)),
    useLatestExpiringCertificate: options.useLatestExpiring,
    now: options.now,
  };
  if (options.signer !== undefined || (key !== undefined && key.type !== 'pkcs11')) {
    const signer = await openKeyOf(options, undefined, sources);
    return closedOnFailure(signer, async () => {
      const { certificates } = await openPkcs11({
        ...settings,
        privateKey: false,
        publicKeys: [signer.publicKey],
      });
      return { found: certificates, eligible: certificates.slice(0, 1), signer };
    });
  }
  const { signer, certificates } = await openPkcs11({ ...settings, privateKey: key?.uri });
  const [leaf] = certificates;
  if (leaf !== undefined) return { found: certificates, eligible: [leaf], ...(signer && { signer }) };
  await signer?.[Symbol.asyncDispose]();
  throw missing('--certificate', ', and the token holds none for this key');
}

/** As messages call it. */
function asGiven(source: string | Uint8Array | undefined): string {
  return typeof source === 'string' ? source : 'in memory';
}

/** The certificates in a source that must hold some. */
export async function readBundle(
  reference: SourceReference,
  purpose: 'certificate' | 'intermediates',
  sources: Sources,
  keyPassword: PasswordProvider | undefined,
): Promise<readonly Certificate[]> {
  const source = await sources.read(reference, purpose);
  const certificates = await certificatesIn(source, sources, keyPassword);
  if (certificates.length > 0) return certificates;
  throw new RolesAnywhereError(
    'CERTIFICATE_INVALID',
    `${purpose} ${source.name} holds no certificate: ${describeContents(source.bytes)}`,
  );
}

/** Without `--certificate` the key's own source must hold the certificate. */
async function certificatesBeside(
  key: Exclude<KeyReference, { readonly type: 'pkcs11' }> | undefined,
  sources: Sources,
  keyPassword: PasswordProvider | undefined,
): Promise<readonly Certificate[]> {
  if (key?.type === 'tpm') throw missing('--certificate', ', and a TPM holds none');
  if (key === undefined) throw missing('--certificate');
  const source = await sources.read(key, 'private key');
  const certificates = await certificatesIn(source, sources, keyPassword);
  if (certificates.length === 0)
    throw missing('--certificate', `, and private key ${source.name} holds no certificate`);
  return certificates;
}

/** The selector, read from its file when it names one. */
async function readSelector(
  { certificateSelector: text }: IdentityOptions,
  sources: Sources,
): Promise<CertificateSelector | undefined> {
  if (text === undefined) return undefined;
  const path = selectorFile(text);
  const { parseSelector } = await import('../certificate/selector.ts');
  return parseSelector(
    path === undefined
      ? text
      : toText((await sources.read({ type: 'file', path }, 'certificate selector')).bytes),
  );
}

/** JSON as editors save it, PowerShell's UTF-16 included. */
function toText(bytes: Uint8Array): string {
  return new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-8').decode(bytes);
}

function noStore(): RolesAnywhereError {
  return new RolesAnywhereError(
    'INVALID_ARGUMENT',
    '--cert-selector without --certificate selects from the certificate store of macOS or Windows, which is not ' +
      'supported yet',
    { hint: 'name the bundle, PKCS#12 file or token to select from with --certificate' },
  );
}
