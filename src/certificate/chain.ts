import { X509Certificate, createPublicKey } from 'node:crypto';
import { RolesAnywhereError } from '../errors.ts';
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
  return certificates
    .filter((certificate) => hasPublicKey(certificate, publicKey))
    .sort((a, b) => Number(isValid(b, now)) - Number(isValid(a, now)) || +b.notAfter - +a.notAfter)[0];
}

/**
 * The issuers to send along, the leaf's own issuer first. Candidates may come in any order, with strangers and
 * duplicates; the root is not sent, since the service trusts nothing but its own copy.
 *
 * Who issued whom is decided by the signature, and by OpenSSL's comparison of names, key identifiers and keyCertSign
 * (X509_check_issued): never by what the leaf may be used for. Where two candidates fit, as with cross-signed
 * issuers, one that is valid now wins, then the one named first.
 *
 * @throws RolesAnywhereError CHAIN_TOO_LONG
 */
export function orderIssuers(
  leaf: Certificate,
  candidates: readonly Certificate[],
  now: Date,
): readonly Certificate[] {
  const others = candidates.filter(({ der }) => Buffer.compare(der, leaf.der) !== 0);
  if (others.length === 0) return [];
  const pool = others
    .toSorted((a, b) => Number(isValid(b, now)) - Number(isValid(a, now)))
    .map((certificate) => ({ certificate, x509: new X509Certificate(certificate.der) }))
    .filter(({ x509 }) => !issued(x509, x509));
  const chain: Certificate[] = [];
  // An authority is a name with a key. Each may appear once, or authorities that signed each other would go on forever.
  const authority = ({ subject, publicKey }: Certificate) => Buffer.concat([subject, publicKey]).toString('base64');
  const seen = new Set([authority(leaf)]);
  let last = new X509Certificate(leaf.der);
  for (;;) {
    const issuer = pool.find(
      ({ certificate, x509 }) => !seen.has(authority(certificate)) && issued(x509, last),
    );
    if (issuer === undefined) return chain;
    if (chain.push(issuer.certificate) > maximumLength) {
      throw new RolesAnywhereError(
        'CHAIN_TOO_LONG',
        `more than ${maximumLength} certificates lead from the leaf to its root, and the service takes no more`,
        { hint: 'make an intermediate authority closer to the leaf the trust anchor, and leave out those above it' },
      );
    }
    seen.add(authority(issuer.certificate));
    last = issuer.x509;
  }
}

function issued(issuer: X509Certificate, subject: X509Certificate): boolean {
  return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

export function isValid({ notBefore, notAfter }: Certificate, now: Date): boolean {
  return notBefore <= now && now <= notAfter;
}

/** Compares what the two encodings mean where they differ: a point may be compressed, a NULL left out. */
function hasPublicKey(certificate: Certificate, publicKey: Uint8Array): boolean {
  if (Buffer.compare(certificate.publicKey, publicKey) === 0) return true;
  try {
    const key = createPublicKey({ key: Buffer.from(certificate.publicKey), format: 'der', type: 'spki' });
    return Buffer.compare(key.export({ format: 'der', type: 'spki' }), publicKey) === 0;
  } catch {
    return false; // A key that the runtime does not know is not the one that it signs with.
  }
}
