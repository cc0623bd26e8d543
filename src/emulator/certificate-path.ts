import type { EmulatorCertificate } from './certificate.ts';
import { nameDefect } from './name-constraints.ts';
import { revocationDefect } from './revocation.ts';
import type { RevocationList } from './revocation.ts';
import type { ServiceError } from './service-error.ts';
import { accessDenied } from './service-error.ts';

/** Most certificates that `x-amz-x509-chain` may hold (Roles Anywhere user guide, "Signing process"). */
export const maximumChainLength = 5;

const hashes = new Set(['SHA-256', 'SHA-384', 'SHA-512']);

/** The extensions that this validation takes into account; any other that is critical refuses the path. */
const known = new Set([
  '2.5.29.15', // keyUsage
  '2.5.29.17', // subjectAltName
  '2.5.29.18', // issuerAltName
  '2.5.29.19', // basicConstraints
  '2.5.29.30', // nameConstraints
  '2.5.29.32', // certificatePolicies: none is asked for, so any will do (RFC 5280, section 6.1.1 (c) to (g))
  '2.5.29.33', // policyMappings
  '2.5.29.37', // extKeyUsage: the service asks for no purpose
  '2.5.29.54', // inhibitAnyPolicy
]);

/**
 * Holds the leaf to what the service asks of signing certificates (user guide, "Trust model", "Signature
 * verification").
 *
 * @throws ServiceError
 */
export function checkLeaf(leaf: EmulatorCertificate): void {
  const why = leafDefect(leaf);
  if (why !== undefined) {
    throw accessDenied('Insufficient certificate', `the leaf ${why}`);
  }
}

function leafDefect(leaf: EmulatorCertificate): string | undefined {
  if (leaf.version !== 3) {
    return `is X.509 version ${leaf.version}, not 3`;
  }
  if (leaf.subject.attributes.length === 0) {
    return 'has an empty subject';
  }
  if (leaf.basicConstraints === undefined) {
    return 'has no basicConstraints with CA:false';
  }
  if (leaf.basicConstraints.ca) {
    return 'is a CA certificate';
  }
  if (leaf.keyUsage?.digitalSignature !== true) {
    return 'does not have keyUsage digitalSignature';
  }
  return hashDefect(leaf);
}

/** What keeps a certificate from being a trust anchor: CA:true, keyCertSign, a good hash and key are asked for. */
export function anchorDefect(anchor: EmulatorCertificate): string | undefined {
  return authorityDefect(anchor, 0) ?? hashDefect(anchor);
}

/**
 * Validates the path from the leaf through the chain to one of the anchors (RFC 5280, section 6.1). The chain is in
 * order, the leaf's issuer first, and holds nothing else; its last certificate may be the anchor itself. A certificate
 * whose issuer has lists among the imported ones must not be revoked by them (section 6.3).
 *
 * @throws ServiceError
 */
export function checkPath(
  leaf: EmulatorCertificate,
  chain: readonly EmulatorCertificate[],
  anchors: readonly EmulatorCertificate[],
  lists: readonly RevocationList[],
  now: Date,
): void {
  const path = [leaf, ...chain];
  path.forEach((certificate, index) => {
    const issuer = path[index + 1];
    if (issuer !== undefined && !isIssuer(issuer, certificate)) {
      throw untrusted(path, index + 1, `did not issue ${title(path, index)}`);
    }
  });
  const paths = pathsToAnchors(path, anchors);
  if (paths.length === 0) {
    throw untrusted(path, path.length - 1, 'was not issued by a trust anchor');
  }
  const defects = paths.map((candidate) => pathDefect(candidate, lists, now));
  const [defect] = defects;
  if (defect !== undefined && !defects.includes(undefined)) {
    throw defect;
  }
}

/** Every path that ends at an anchor: an authority may have several certificates for one name and key. */
function pathsToAnchors(
  path: readonly EmulatorCertificate[],
  anchors: readonly EmulatorCertificate[],
): readonly (readonly EmulatorCertificate[])[] {
  return path.flatMap((certificate, index) =>
    index > 0 && anchors.some(({ der }) => der.equals(certificate.der))
      ? [path.slice(0, index + 1)]
      : anchors
          .filter((anchor) => isIssuer(anchor, certificate))
          .map((anchor) => [...path.slice(0, index + 1), anchor]),
  );
}

function isIssuer(issuer: EmulatorCertificate, certificate: EmulatorCertificate): boolean {
  return issuer.subject.der === certificate.issuer.der && issuer.issued(certificate);
}

/** What is wrong with a path, leaf first and anchor last, whose names and signatures already fit. */
function pathDefect(
  path: readonly EmulatorCertificate[],
  lists: readonly RevocationList[],
  now: Date,
): ServiceError | undefined {
  for (const [index, certificate] of path.entries()) {
    const why =
      validityDefect(certificate, now) ??
      hashDefect(certificate) ??
      extensionDefect(certificate) ??
      constraintDefect(path, index) ??
      (index === 0 ? undefined : authorityDefect(certificate, intermediatesBelow(path, index)));
    if (why !== undefined) {
      return untrusted(path, index, why);
    }
  }
  for (const [index, certificate] of path.entries()) {
    const issuer = path[index + 1];
    const defect = issuer && revocationDefect(certificate, issuer, lists, now);
    if (defect !== undefined) {
      return defect.kind === 'revoked'
        ? accessDenied('Certificate revoked', `${title(path, index)} ${defect.why}`)
        : untrusted(path, index, defect.why);
    }
  }
  return undefined;
}

function validityDefect({ notBefore, notAfter }: EmulatorCertificate, now: Date): string | undefined {
  if (now.getTime() < notBefore.getTime()) {
    return `is not valid before ${notBefore.toISOString()}`;
  }
  // A whole second is meant: 23:59:59Z lasts until midnight.
  return now.getTime() >= notAfter.getTime() + 1000 ? `expired at ${notAfter.toISOString()}` : undefined;
}

function authorityDefect(certificate: EmulatorCertificate, below: number): string | undefined {
  if (certificate.version !== 3) {
    return `is X.509 version ${certificate.version}, not 3`;
  }
  if (certificate.basicConstraints?.ca !== true) {
    return 'is not a CA certificate';
  }
  if (certificate.keyUsage?.keyCertSign !== true) {
    return 'does not have keyUsage keyCertSign';
  }
  const weak = modulusDefect(certificate);
  if (weak !== undefined) {
    return weak;
  }
  const limit = certificate.basicConstraints.pathLength;
  return limit !== undefined && below > limit
    ? `allows ${limit} intermediates below it, and there are ${below}`
    : undefined;
}

/** How many CA certificates stand between this one and the leaf, self-issued ones not counted (section 6.1.4 (l)). */
function intermediatesBelow(path: readonly EmulatorCertificate[], index: number): number {
  return path.slice(1, index).filter(({ subject, issuer }) => subject.der !== issuer.der).length;
}

function extensionDefect({ extensions }: EmulatorCertificate): string | undefined {
  const types = extensions.map(({ type }) => type);
  const repeated = types.find((type, index) => types.indexOf(type) !== index);
  if (repeated !== undefined) {
    return `has the extension ${repeated} twice`;
  }
  const unknown = extensions.find(({ type, critical }) => critical && !known.has(type));
  return unknown === undefined ? undefined : `has the unknown critical extension ${unknown.type}`;
}

/**
 * Every authority above limits the names below it, the anchor too. A self-issued certificate is exempt, unless it is
 * the leaf (section 6.1.3 (b) and (c)).
 */
function constraintDefect(path: readonly EmulatorCertificate[], index: number): string | undefined {
  const certificate = path[index];
  if (certificate === undefined || (index > 0 && certificate.subject.der === certificate.issuer.der)) {
    return undefined;
  }
  return path
    .slice(index + 1)
    .map(({ nameConstraints }) => nameConstraints && nameDefect(certificate, nameConstraints))
    .find((defect) => defect !== undefined);
}

/** What keeps an RSA key from being used, by its size. */
export function modulusDefect({ publicKey }: EmulatorCertificate): string | undefined {
  const bits = publicKey?.asymmetricKeyDetails?.modulusLength;
  return bits === undefined || (bits >= 2048 && bits <= 8192)
    ? undefined
    : `has an RSA key of ${bits} bits, which is not between 2048 and 8192`;
}

function hashDefect({ signature: { algorithm, hash } }: EmulatorCertificate): string | undefined {
  // ML-DSA has its own hash, SHAKE256, inside (FIPS 204, section 3.7).
  return (hash !== undefined && hashes.has(hash)) || algorithm.startsWith('ML-DSA-')
    ? undefined
    : `is signed with ${algorithm} and ${hash ?? 'no hash that we know'}, not with SHA-256 or stronger`;
}

function untrusted(path: readonly EmulatorCertificate[], index: number, why: string): ServiceError {
  return accessDenied('Untrusted signing certificate', `${title(path, index)} ${why}`);
}

function title(path: readonly EmulatorCertificate[], index: number): string {
  const place = index === 0 ? 'the leaf' : `certificate ${index} above the leaf`;
  return `${place} (${path[index]?.subject.text ?? ''})`;
}
