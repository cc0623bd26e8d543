import type { Certificate } from './certificate/certificate.ts';
import { findLeaf, isValid, orderIssuers } from './certificate/chain.ts';
import type { CertificateSelector } from './certificate/selector.ts';
import { mlDsaSignatureCheck } from './certificate/ml-dsa.ts';
import { checkSuitability, describeCertificate, warnOfExpiry } from './certificate/suitability.ts';
import { describeContents, isPkcs12 } from './encoding/contents.ts';
import { RolesAnywhereError } from './errors.ts';
import { certificatesIn } from './key/certificates.ts';
import { onToken, openKey } from './key/open.ts';
import type { KeyOpening } from './key/open.ts';
import type { PasswordProvider } from './key/password.ts';
import { parseCertificateReference, parseReference, parseSource } from './key/reference.ts';
import type { KeyReference, SourceReference } from './key/reference.ts';
import type { Signer } from './key/signer.ts';
import { Sources } from './key/source.ts';
import type { Streams } from './key/source.ts';
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
 * Opens a key, finds the certificate that belongs to it and puts its issuers in order. What the service is known to
 * refuse is refused here, before any request.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, and every code of certificates, keys and passwords but SIGNING_FAILED
 */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { reporter = silent, keyPassword } = options;
  const now = options.now?.() ?? new Date();
  const fromIntermediates = parse(options.intermediates, '--intermediates', parseSource);
  using sources = new Sources(options.streams);
  // What can fail without a question to the user comes first: opening a key may cost one, or try a PIN.
  const intermediates =
    fromIntermediates && (await readBundle(fromIntermediates, 'intermediates', sources, keyPassword));
  const { found, eligible, signer: beside } = await findCertificates(options, sources);
  const signer = beside ?? (await openKeyOf(options, eligible, sources));
  return await closedOnFailure(signer, async () => {
    const certificate = ownCertificate(signer, eligible, now);
    checkSuitability(certificate, now, reporter);
    warnOfExpiry(certificate, now, reporter);
    const candidates = [...found, ...(intermediates ?? [])];
    const chain = orderIssuers(certificate, candidates, now, await mlDsaSignatureCheck(candidates));
    for (const issuer of chain) {
      if (isValid(issuer, now)) continue;
      reporter.warn(`the issuer, ${describeCertificate(issuer)}, is not valid now`);
    }
    reporter.debug(`${describeCertificate(certificate)}, ${chain.length} of its issuers sent along`);
    return { signer, certificate, chain, [Symbol.asyncDispose]: () => signer[Symbol.asyncDispose]() };
  });
}

/**
 * Opens the key alone, to try it: no certificate is needed, and one that is given only has to belong to it.
 *
 * @throws as `openIdentity` does
 */
export async function openSigner(options: IdentityOptions): Promise<Signer> {
  const { certificate, certificateSelector, privateKey } = options;
  using sources = new Sources(options.streams);
  const isAlone = certificate === undefined && certificateSelector === undefined && privateKey !== undefined;
  const found = isAlone ? undefined : await findCertificates(options, sources);
  const signer = found?.signer ?? (await openKeyOf(options, found?.eligible, sources));
  return await closedOnFailure(signer, () => {
    if (found) ownCertificate(signer, found.eligible, new Date());
    return signer;
  });
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

async function closedOnFailure<T>(signer: Signer, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    await signer[Symbol.asyncDispose]();
    throw error;
  }
}

function ownCertificate({ publicKey }: Signer, eligible: readonly Certificate[], now: Date): Certificate {
  const certificate = findLeaf(eligible, publicKey, now);
  if (certificate === undefined) throw mismatch(eligible);
  return certificate;
}

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
    const { listPkcs11Certificates } = await import('./key/pkcs11/open.ts');
    const listed = await listPkcs11Certificates({
      ...onToken(opening(options)),
      certificate: from.uri,
      select: selector && ((candidate: Certificate) => selector.matches(candidate)),
    });
    return listed.map(({ certificate, uri }) => ({ ...certificate, uri }));
  }
  const certificates = await readBundle(from, 'certificate', sources, options.keyPassword);
  if (selector === undefined) return certificates;
  const { matchingCertificates } = await import('./certificate/selector.ts');
  return matchingCertificates(certificates, selector, asGiven(options.certificate));
}

interface Found {
  readonly found: readonly Certificate[];
  /** Those among them that the key may belong to: the selected one, or all. */
  readonly eligible: readonly Certificate[];
  /** The key, where finding the certificates opened it: on a token each may be found by the other. */
  readonly signer?: Signer;
}

async function findCertificates(options: IdentityOptions, sources: Sources): Promise<Found> {
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
  const { selectCertificate } = await import('./certificate/selector.ts');
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
  const { openPkcs11 } = await import('./key/pkcs11/open.ts');
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

async function openKeyOf(
  options: IdentityOptions,
  certificates: readonly Certificate[] | undefined,
  sources: Sources,
): Promise<Signer> {
  if (options.signer !== undefined) return callersOwn(options.signer);
  const key =
    parse(options.privateKey, '--private-key', parseReference) ??
    (await keyBeside(parse(options.certificate, '--certificate', parseSource), sources, options.keyPassword));
  return openKey(key, { ...opening(options), sources, certificates });
}

function opening(options: IdentityOptions): Omit<KeyOpening, 'sources' | 'certificates'> {
  const {
    reporter = silent,
    keyPassword,
    tpmParentPassword,
    timeoutSeconds,
    pkcs11Library,
    reusePin,
  } = options;
  return { reporter, keyPassword, tpmParentPassword, timeoutSeconds, pkcs11Library, reusePin };
}

/** A key of the caller's own, in the terms of ours: it is not ours to close, and fails as ours do. */
function callersOwn(signer: NonNullable<IdentityOptions['signer']>): Signer {
  return {
    keyType: signer.keyType,
    publicKey: signer.publicKey,
    sign: async (message, digest) => {
      try {
        return await signer.sign(message, digest);
      } catch (error) {
        if (error instanceof RolesAnywhereError) throw error;
        throw new RolesAnywhereError('SIGNING_FAILED', 'the signer that the program gave failed', {
          cause: error,
        });
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function parse<T>(
  given: string | Uint8Array | undefined,
  option: string,
  parser: (text: string, option: string) => T,
): T | { readonly type: 'memory'; readonly bytes: Uint8Array } | undefined {
  if (given === undefined) return undefined;
  return typeof given === 'string' ? parser(given, option) : { type: 'memory', bytes: given };
}

/** As messages call it. */
function asGiven(source: string | Uint8Array | undefined): string {
  return typeof source === 'string' ? source : 'in memory';
}

/** The certificates in a source that must hold some. */
async function readBundle(
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

/** Without `--private-key` the certificate's own source must hold the key. */
async function keyBeside(
  certificate: SourceReference | undefined,
  sources: Sources,
  keyPassword: PasswordProvider | undefined,
): Promise<SourceReference> {
  if (certificate === undefined) throw missing('--certificate');
  const source = await sources.read(certificate, 'certificate');
  const holdsKey = isPkcs12(source.bytes)
    ? (await sources.openPkcs12(source, keyPassword)).keys.length > 0
    : (await import('./key/file/open.ts')).holdsPrivateKey(source.bytes);
  if (!holdsKey) throw missing('--private-key', `, and certificate ${source.name} holds no private key`);
  return certificate;
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
  const { parseSelector } = await import('./certificate/selector.ts');
  return parseSelector(
    path === undefined
      ? text
      : toText((await sources.read({ type: 'file', path }, 'certificate selector')).bytes),
  );
}

function selectorFile(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /^file:\/\/(.*)$/s.exec(text)?.[1];
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
