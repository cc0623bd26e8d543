import { DerReader, contextTag, tags } from '../encoding/der.ts';
import { EncodingError } from '../encoding/encoding-error.ts';
import { RolesAnywhereError } from '../errors.ts';
import { readSignatureAlgorithm } from './signature-algorithm.ts';

/** An X.509 certificate (RFC 5280) as far as signing and sending it needs: read once, then plain data. */
export interface Certificate {
  /** The whole certificate, DER. */
  readonly der: Uint8Array;
  /** 1, 2 or 3: the version as people count it. */
  readonly version: number;
  /** Up to 20 bytes (RFC 5280, section 4.1.2.2): never a JavaScript number. */
  readonly serialNumber: bigint;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** The issuer's and the subject's Name, DER. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The object identifier of signatureAlgorithm, dotted. */
  readonly signatureAlgorithm: string;
  /** The hash that the issuer signed, such as `SHA-256`; undefined where the algorithm has none or is not known. */
  readonly signatureHash: string | undefined;
  /** basicConstraints' cA; undefined where the extension is absent. */
  readonly isAuthority: boolean | undefined;
  /** keyUsage's digitalSignature; undefined where the extension is absent. */
  readonly digitalSignature: boolean | undefined;
}

/**
 * Reads a DER certificate. The result keeps views into `der`, which must not change afterwards.
 *
 * @throws RolesAnywhereError CERTIFICATE_INVALID
 */
export function parseCertificate(der: Uint8Array): Certificate {
  try {
    return decodeCertificate(der);
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    throw new RolesAnywhereError('CERTIFICATE_INVALID', `cannot parse the certificate: ${error.message}`);
  }
}

/** `parseCertificate` for callers with more to say about where the bytes come from. Throws EncodingError. */
export function decodeCertificate(der: Uint8Array): Certificate {
  const file = new DerReader(der);
  const certificate = file.sequence();
  file.end();

  // Certificate and TBSCertificate: RFC 5280, section 4.1.
  const body = certificate.sequence();
  const algorithm = certificate.next(tags.sequence).encoded;
  certificate.bitString();
  certificate.end();

  const version = Number(body.enterOptional(contextTag(0))?.integer() ?? 0n) + 1;
  const serialNumber = body.integer();
  const innerAlgorithm = body.next(tags.sequence).encoded;
  if (Buffer.compare(algorithm, innerAlgorithm) !== 0) {
    throw new EncodingError('it names two different signature algorithms');
  }
  const issuer = body.next(tags.sequence).encoded;
  const validity = body.sequence();
  const notBefore = validity.time();
  const notAfter = validity.time();
  validity.end();
  const subject = body.next(tags.sequence).encoded;
  const publicKey = body.next(tags.sequence).encoded;
  const extensions = readExtensions(body);
  const signature = readSignatureAlgorithm(algorithm);

  return {
    der,
    version,
    serialNumber,
    publicKey,
    issuer,
    subject,
    notBefore,
    notAfter,
    signatureAlgorithm: signature.oid,
    signatureHash: signature.hash,
    isAuthority: readBasicConstraints(extensions.get('2.5.29.19')),
    digitalSignature: readDigitalSignature(extensions.get('2.5.29.15')),
  };
}

/** The extensions' values by object identifier, from what follows subjectPublicKeyInfo. */
function readExtensions(body: DerReader): ReadonlyMap<string, DerReader> {
  const values = new Map<string, DerReader>();
  // issuerUniqueID and subjectUniqueID, [1] and [2] IMPLICIT BIT STRING, come first; nobody uses them.
  for (const tag of [0x81, 0x82]) if (body.peek() === tag) body.next();
  const list = body.enterOptional(contextTag(3))?.sequence();
  body.end();
  while (list?.done === false) {
    const extension = list.sequence();
    const identifier = extension.objectIdentifier();
    if (extension.peek() === tags.boolean) extension.boolean();
    const value = new DerReader(extension.octetString());
    extension.end();
    // RFC 5280, section 4.2: not more than one of each. Which of two counts would be anybody's guess.
    if (values.has(identifier)) throw new EncodingError(`it has extension ${identifier} twice`);
    values.set(identifier, value);
  }
  return values;
}

/** RFC 5280, section 4.2.1.9 */
function readBasicConstraints(extension: DerReader | undefined): boolean | undefined {
  const constraints = extension?.sequence();
  return constraints && constraints.peek() === tags.boolean && constraints.boolean();
}

/** RFC 5280, section 4.2.1.3: digitalSignature is the first bit. */
function readDigitalSignature(extension: DerReader | undefined): boolean | undefined {
  return extension && ((extension.bitString().bytes[0] ?? 0) & 0x80) !== 0;
}
