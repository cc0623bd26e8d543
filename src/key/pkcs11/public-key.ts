import {
  DerReader,
  derBytes,
  derElement,
  derInteger,
  derObjectIdentifier,
  derSequence,
  tags,
} from '../../encoding/der.ts';
import type { DerPieces } from '../../encoding/der.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import type { KeyType } from '../signer.ts';

/** The algorithms of RFC 8017 (appendix C), RFC 5480 (section 2.1.1) and RFC 9881 (section 2). */
const rsaEncryption = '1.2.840.113549.1.1.1';
const ecPublicKey = '1.2.840.10045.2.1';
const mlDsa: Readonly<Record<string, KeyType>> = {
  '2.16.840.1.101.3.4.3.17': 'ml-dsa-44',
  '2.16.840.1.101.3.4.3.18': 'ml-dsa-65',
  '2.16.840.1.101.3.4.3.19': 'ml-dsa-87',
};

export const derNull: DerPieces = [Uint8Array.of(0x05, 0x00)];

/** The curves that the service takes, by the bytes of one coordinate. */
const curves: Readonly<Record<string, number>> = {
  '1.2.840.10045.3.1.7': 32,
  '1.3.132.0.34': 48,
  '1.3.132.0.35': 66,
};

const curveNames: Readonly<Record<string, string>> = {
  prime256v1: '1.2.840.10045.3.1.7',
  secp256r1: '1.2.840.10045.3.1.7',
  secp384r1: '1.3.132.0.34',
  secp521r1: '1.3.132.0.35',
};

/** CKA_MODULUS and CKA_PUBLIC_EXPONENT (big-endian, unsigned) as a SubjectPublicKeyInfo. */
export function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array): Uint8Array {
  const key = derSequence(derInteger(unsigned(modulus)), derInteger(unsigned(exponent)));
  return subjectPublicKeyInfo(rsaEncryption, derNull, derBytes(key));
}

/**
 * CKA_EC_PARAMS and CKA_EC_POINT as a SubjectPublicKeyInfo. The point is a DER OCTET STRING by the specification
 * (version 2.40, section 2.3.3), and raw in the modules that misread version 2.20.
 *
 * @throws EncodingError when the curve is none that the service takes, or the point none of the curve
 */
export function ecdsaPublicKey(parameters: Uint8Array, point: Uint8Array): Uint8Array {
  const curve = readCurve(parameters);
  const size = coordinateSize(curve);
  const isPoint = (bytes: Uint8Array): boolean => bytes[0] === 0x04 && bytes.length === 1 + 2 * size;
  // An OCTET STRING of a point is two or three bytes longer than the point: the length tells them apart.
  const raw = isPoint(point) ? point : new DerReader(point).octetString();
  if (!isPoint(raw)) throw new EncodingError('the EC point is no uncompressed point of its curve');
  return subjectPublicKeyInfo(ecPublicKey, derObjectIdentifier(curve), raw);
}

/** CKA_PARAMETER_SET (CKP_ML_DSA_44 is 1) and CKA_VALUE as a SubjectPublicKeyInfo (RFC 9881, section 4). */
export function mlDsaPublicKey(parameterSet: number, value: Uint8Array): Uint8Array {
  const oid = Object.keys(mlDsa)[parameterSet - 1];
  if (oid === undefined) throw new EncodingError(`ML-DSA parameter set ${parameterSet} is not known`);
  return subjectPublicKeyInfo(oid, [], value);
}

export interface PublicKeyFacts {
  readonly keyType: KeyType;
  /** The bytes of one half of an ECDSA signature; undefined for other keys. */
  readonly coordinateSize?: number;
}

/** What signing needs to know of a SubjectPublicKeyInfo. Throws EncodingError for keys that the service does not take. */
export function describePublicKey(publicKey: Uint8Array): PublicKeyFacts {
  const algorithm = new DerReader(publicKey).sequence().sequence();
  const oid = algorithm.objectIdentifier();
  if (oid === rsaEncryption) return { keyType: 'rsa' };
  if (oid === ecPublicKey)
    return { keyType: 'ec', coordinateSize: coordinateSize(algorithm.objectIdentifier()) };
  const keyType = mlDsa[oid];
  if (keyType === undefined) throw new EncodingError(`keys of algorithm ${oid} are not supported`);
  return { keyType };
}

/** CKA_EC_PARAMS: a named curve's identifier, or since version 3.0 its name (section 2.3.3, "curveName"). */
function readCurve(parameters: Uint8Array): string {
  const reader = new DerReader(parameters);
  if (reader.peek() !== 0x13) return reader.objectIdentifier();
  const name = Buffer.from(reader.next().content).toString('latin1');
  return curveNames[name] ?? name;
}

function coordinateSize(curve: string): number {
  const size = curves[curve];
  if (size === undefined) throw new EncodingError(`curve ${curve} is not P-256, P-384 or P-521`);
  return size;
}

function subjectPublicKeyInfo(oid: string, parameters: DerPieces, key: Uint8Array): Uint8Array {
  const bits = derElement(tags.bitString, [Uint8Array.of(0), key]);
  return derBytes(derSequence(derSequence(derObjectIdentifier(oid), parameters), bits));
}

function unsigned(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
