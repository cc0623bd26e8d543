import { X509Certificate, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../errors.ts';
import { decodeCertificate } from './certificate.ts';
import type { Certificate } from './certificate.ts';

/** The service takes this many certificates in X-Amz-X509-Chain (authentication-sign-process, "Task 1"). */
const maximumLength = 5;

/**
 * The certificate that a key belongs to, wherever it stands in a bundle. A renewed certificate often keeps its key:
 * of several, one that is valid now wins, and of those the one that lasts longest.
 *
 * @param publicKey SubjectPublicKeyInfo, DER
 */
export function findLeaf(
  certificates: readonly Certificate[],
  publicKey: Uint8Array,
  now: Date,
): Certificate | undefined {
  const exact = certificates.filter((certificate) => Buffer.compare(certificate.publicKey, publicKey) === 0);
  const matching =
    exact.length > 0 ? exact : certificates.filter((candidate) => hasPublicKey(candidate, publicKey));
  return matching.sort(byValidity(now, (a, b) => +b.notAfter - +a.notAfter))[0];
}

/**
 * The issuers to send along, the leaf's own issuer first. Candidates may come in any order, with strangers and
 * duplicates; the root is not sent, since the service trusts nothing but its own copy.
 *
 * Who issued whom is decided by the signature, and by OpenSSL's comparison of names, key identifiers and keyCertSign
 * (X509_check_issued): never by what the leaf may be used for. Where two candidates fit, as with cross-signed
 * issuers, one that is valid now wins, then the one named first.
 *
 * @param isSignedWith tells what the runtime cannot, where it does not know the type of the issuer's key
 * @throws RolesAnywhereError CHAIN_TOO_LONG
 */
export function orderIssuers(
  leaf: Certificate,
  candidates: readonly Certificate[],
  now: Date,
  isSignedWith: SignatureCheck = () => false,
): readonly Certificate[] {
  const others = candidates.filter(({ der }) => Buffer.compare(der, leaf.der) !== 0);
  let last = others.length > 0 ? toX509(leaf) : undefined;
  if (last === undefined) return [];
  const pool = others
    .toSorted(byValidity(now))
    .map((certificate) => ({ certificate, x509: toX509(certificate) }))
    .filter(({ x509 }) => !issued(x509, x509, isSignedWith));

  const chain: Certificate[] = [];
  // Each authority, a name with its key, may stand in it once: two that signed each other would go on for ever.
  const seen = new Set([authority(leaf)]);
  for (;;) {
    const issuer = pool.find(
      ({ certificate, x509 }) => !seen.has(authority(certificate)) && issued(x509, last, isSignedWith),
    );
    if (issuer === undefined) return chain;
    if (chain.push(issuer.certificate) > maximumLength) {
      throw new RolesAnywhereError(
        'CHAIN_TOO_LONG',
        `more than ${maximumLength} certificates lead from the leaf to its root, and the service takes no more`,
        { hint: 'make an intermediate authority the trust anchor, and leave out the certificates above it' },
      );
    }
    seen.add(authority(issuer.certificate));
    last = issuer.x509;
  }
}

export function isValid({ notBefore, notAfter }: Certificate, now: Date): boolean {
  return notBefore <= now && now <= notAfter;
}

type Order = (a: Certificate, b: Certificate) => number;

function byValidity(now: Date, then: Order = () => 0): Order {
  return (a, b) => Number(isValid(b, now)) - Number(isValid(a, now)) || then(a, b);
}

function authority({ subject, publicKey }: Certificate): string {
  return Buffer.concat([subject, publicKey]).toString('base64');
}

/** OpenSSL's view of a certificate; undefined when it cannot read it, and so nobody's issuer or subject. */
function toX509({ der }: Certificate): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** Whether a certificate is signed with a key: SubjectPublicKeyInfo, both DER. */
export type SignatureCheck = (certificate: Uint8Array, issuerKey: Uint8Array) => boolean;

function issued(
  issuer: X509Certificate | undefined,
  subject: X509Certificate | undefined,
  isSignedWith: SignatureCheck,
): boolean {
  if (issuer === undefined || subject === undefined) return false;
  let key;
  try {
    key = issuer.publicKey;
  } catch {
    // Of a type that the runtime does not know.
    return (
      subject.issuer === issuer.subject && isSignedWith(subject.raw, decodeCertificate(issuer.raw).publicKey)
    );
  }
  return subject.checkIssued(issuer) && subject.verify(key);
}

/** Compares what two encodings mean where they differ: a point may be compressed, a NULL left out. */
function hasPublicKey(certificate: Certificate, publicKey: Uint8Array): boolean {
  try {
    const [one, other] = [toKeyObject(certificate.publicKey), toKeyObject(publicKey)];
    // Between types, `equals` leaves an error in OpenSSL's queue, and Node.js takes it for the next createPrivateKey's.
    return one.asymmetricKeyType === other.asymmetricKeyType && one.equals(other);
  } catch {
    return false; // A type of key that the runtime does not know is not the one that it signs with.
  }
}

function toKeyObject(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
}
