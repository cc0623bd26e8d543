import type { KeyObject } from 'node:crypto';
import { X509Certificate } from 'node:crypto';
import { mlDsaName, readMlDsaKey } from './ml-dsa.ts';
import type { MlDsaKey } from './ml-dsa.ts';
import type { DistinguishedName, GeneralName, NameConstraints } from './names.ts';
import { readAlternativeNames, readDistinguishedName, readNameConstraints } from './names.ts';
import type { X509 } from './x509.ts';

/** A certificate as the emulator judges it. OpenSSL verifies signatures, @peculiar/x509 reads the fields. */
export interface EmulatorCertificate {
  readonly der: Buffer;
  /** 1, 2 or 3: the version as people count it. */
  readonly version: number;
  readonly serialNumber: bigint;
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** What the certificate is signed with, for instance `ECDSA` and `SHA-256`; the hash where there is one. */
  readonly signature: { readonly algorithm: string; readonly hash: string | undefined };
  /** The public key's algorithm, for people. */
  readonly keyAlgorithm: string;
  /** Undefined for a key that OpenSSL does not know. */
  readonly publicKey: KeyObject | undefined;
  /** The key when it is an ML-DSA one, whether OpenSSL knows it or not. */
  readonly mlDsaKey: MlDsaKey | undefined;
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined;
  /** The bits of keyUsage (RFC 5280, section 4.2.1.3). */
  readonly keyUsage:
    | { readonly digitalSignature: boolean; readonly keyCertSign: boolean; readonly cRLSign: boolean }
    | undefined;
  readonly alternativeNames: readonly GeneralName[];
  readonly nameConstraints: NameConstraints | undefined;
  /** The object identifiers of all extensions. */
  readonly extensions: readonly { readonly type: string; readonly critical: boolean }[];
  /** Whether this key's private half signed the other certificate. */
  issued(other: EmulatorCertificate): boolean;
}

/**
 * Reads one DER certificate.
 *
 * @throws Error that says what is wrong with it; the two readers have many error classes
 */
export function readCertificate(x509: X509, der: Uint8Array): EmulatorCertificate {
  const bytes = Buffer.from(der);
  const node = new X509Certificate(bytes);
  // OpenSSL takes PEM for DER and leaves alone what follows the certificate.
  if (!node.raw.equals(bytes)) {
    throw new Error('it is not one DER certificate');
  }
  const parsed = new x509.X509Certificate(bytes);
  const basic = parsed.getExtension(x509.BasicConstraintsExtension);
  const usage = parsed.getExtension(x509.KeyUsagesExtension);
  const alternativeNames = parsed.getExtension('2.5.29.17');
  const nameConstraints = parsed.getExtension('2.5.29.30');
  const { subjectPublicKeyInfo } = parsed['asn'].tbsCertificate;
  const mlDsaKey = readMlDsaKey(
    subjectPublicKeyInfo.algorithm.algorithm,
    new Uint8Array(subjectPublicKeyInfo.subjectPublicKey),
  );
  const algorithm = parsed.signatureAlgorithm as { name: string; hash?: { name: string } };
  return {
    der: bytes,
    version: parsed['asn'].tbsCertificate.version + 1,
    serialNumber: parseSerial(node.serialNumber),
    subject: readDistinguishedName(parsed.subjectName),
    issuer: readDistinguishedName(parsed.issuerName),
    notBefore: parsed.notBefore,
    notAfter: parsed.notAfter,
    signature: { algorithm: algorithm.name, hash: algorithm.hash?.name },
    keyAlgorithm: (parsed.publicKey.algorithm as { name: string }).name,
    publicKey: readKey(node),
    mlDsaKey,
    basicConstraints: basic === null ? undefined : { ca: basic.ca, pathLength: basic.pathLength },
    keyUsage:
      usage === null
        ? undefined
        : {
            digitalSignature: (usage.usages & x509.KeyUsageFlags.digitalSignature) !== 0,
            keyCertSign: (usage.usages & x509.KeyUsageFlags.keyCertSign) !== 0,
            cRLSign: (usage.usages & x509.KeyUsageFlags.cRLSign) !== 0,
          },
    alternativeNames: alternativeNames === null ? [] : readAlternativeNames(x509, bytesOf(alternativeNames)),
    nameConstraints:
      nameConstraints === null ? undefined : readNameConstraints(x509, bytesOf(nameConstraints)),
    extensions: parsed.extensions.map(({ type, critical }) => ({ type, critical })),
    issued: (other) =>
      mlDsaKey === undefined ? verifies(node, other.der) : verifiesMlDsa(x509, mlDsaKey, other.der),
  };
}

/**
 * Every certificate of a PEM text (RFC 7468), in order, whatever stands between them.
 *
 * @throws Error that says what is wrong with one of them
 */
export function readPemCertificates(x509: X509, pem: string): readonly EmulatorCertificate[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g);
  return Array.from(blocks, ([, base64]) => readCertificate(x509, Buffer.from(base64 ?? '', 'base64')));
}

function bytesOf({ value }: { readonly value: ArrayBuffer }): Buffer {
  return Buffer.from(value);
}

function verifies(issuer: X509Certificate, der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).verify(issuer.publicKey);
  } catch {
    return false; // a key that OpenSSL does not know
  }
}

function verifiesMlDsa(x509: X509, issuerKey: MlDsaKey, der: Uint8Array): boolean {
  const { tbsCertificateRaw, signatureAlgorithm, signatureValue } = new x509.X509Certificate(der)['asn'];
  return (
    tbsCertificateRaw !== undefined &&
    mlDsaName(signatureAlgorithm.algorithm) === issuerKey.name &&
    issuerKey.verify(new Uint8Array(tbsCertificateRaw), new Uint8Array(signatureValue))
  );
}

function readKey(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined;
  }
}

function parseSerial(hex: string): bigint {
  return hex.startsWith('-') ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`);
}
