import { constants, verify } from 'node:crypto';
import type { EmulatorCertificate } from './certificate.ts';
import { mlDsaName } from './ml-dsa.ts';
import { readDistinguishedName } from './names.ts';
import type { DistinguishedName } from './names.ts';
import type { X509 } from './x509.ts';

/** An imported certificate revocation list (RFC 5280, section 5), its signature not yet verified. */
export interface RevocationList {
  readonly issuer: DistinguishedName;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  /** When the certificate with this serial number was revoked; undefined when it was not. */
  revokedAt(serialNumber: bigint): Date | undefined;
  /** Whether this authority's private half signed the list. */
  signedBy(authority: EmulatorCertificate): boolean;
}

/** What OpenSSL calls the hashes; anything weaker is no proof. */
const hashNames: Readonly<Record<string, string>> = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

/**
 * Every list of a file: one in DER, or any number in PEM.
 *
 * @throws Error that says what is wrong with one of them
 */
export function readRevocationLists(x509: X509, file: Buffer): readonly RevocationList[] {
  if (file[0] === 0x30) {
    return [readList(x509, file)];
  }
  const blocks = file.toString('latin1').matchAll(/-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g);
  return Array.from(blocks, ([, base64]) => readList(x509, Buffer.from(base64 ?? '', 'base64')));
}

function readList(x509: X509, der: Buffer): RevocationList {
  const list = new x509.X509Crl(der);
  // A delta list, or one of another issuer's certificates, would need more than this knows (section 5.2).
  const critical = [list, ...list.entries]
    .flatMap(({ extensions }) => extensions)
    .find((extension) => extension.critical);
  if (critical !== undefined) {
    throw new Error(`it has the unknown critical extension ${critical.type}`);
  }
  const revoked = new Map(
    // The entry's own serialNumber loses a leading zero, and with it the sign.
    list.entries.map((entry) => [parseSerial(entry['asn'].userCertificate), entry.revocationDate]),
  );
  return {
    issuer: readDistinguishedName(list.issuerName),
    thisUpdate: list.thisUpdate,
    nextUpdate: list.nextUpdate,
    revokedAt: (serialNumber) => revoked.get(serialNumber),
    signedBy: (authority) => verifies(list, authority),
  };
}

/** Whether an authority may sign lists at all, and signed this one (section 6.3.3 (f) and (g)). */
export function isListOf(list: RevocationList, authority: EmulatorCertificate): boolean {
  return (
    list.issuer.der === authority.subject.der &&
    authority.keyUsage?.cRLSign === true &&
    list.signedBy(authority)
  );
}

/**
 * What an issuer's lists say against a certificate: that it is revoked, or, when all of them are out of date, that
 * nobody can tell (section 6.3.3). Undefined for a good one, and where there is no list of this issuer.
 */
export function revocationDefect(
  certificate: EmulatorCertificate,
  issuer: EmulatorCertificate,
  lists: readonly RevocationList[],
  now: Date,
): RevocationDefect | undefined {
  const own = lists.filter((list) => isListOf(list, issuer));
  const revoked = own
    .map((list) => list.revokedAt(certificate.serialNumber))
    .find((date) => date !== undefined);
  if (revoked !== undefined) {
    return { kind: 'revoked', why: `was revoked at ${revoked.toISOString()}` };
  }
  const [list] = own;
  if (list === undefined || own.some((each) => isCurrent(each, now))) {
    return undefined;
  }
  const { thisUpdate, nextUpdate } = list;
  const until = nextUpdate === undefined ? '' : ` until ${nextUpdate.toISOString()}`;
  return {
    kind: 'unknown',
    why: `may be revoked: its issuer's list is good from ${thisUpdate.toISOString()}${until} alone`,
  };
}

export interface RevocationDefect {
  readonly kind: 'revoked' | 'unknown';
  readonly why: string;
}

function isCurrent({ thisUpdate, nextUpdate }: RevocationList, now: Date): boolean {
  return thisUpdate <= now && (nextUpdate === undefined || now <= nextUpdate);
}

/** Two's complement, as DER has it. */
function parseSerial(bytes: ArrayBuffer): bigint {
  return BigInt.asIntN(bytes.byteLength * 8, BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`));
}

function verifies(
  list: InstanceType<X509['X509Crl']>,
  { publicKey, mlDsaKey }: EmulatorCertificate,
): boolean {
  const { tbsCertListRaw, signatureAlgorithm } = list['asn'];
  const signature = Buffer.from(list.signature);
  if (tbsCertListRaw === undefined) {
    return false;
  }
  const message = Buffer.from(tbsCertListRaw);
  if (mlDsaKey !== undefined) {
    return mlDsaName(signatureAlgorithm.algorithm) === mlDsaKey.name && mlDsaKey.verify(message, signature);
  }
  const { name, hash } = list.signatureAlgorithm as {
    readonly name: string;
    readonly hash?: { readonly name: string };
  };
  const hashName = hashNames[hash?.name ?? ''];
  if (publicKey === undefined || hashName === undefined) {
    return false;
  }
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
  const key = { key: publicKey, ...(name === 'RSA-PSS' ? padding : {}) };
  try {
    return verify(hashName, message, key, signature);
  } catch {
    return false; // a key of another type than the signature's
  }
}
