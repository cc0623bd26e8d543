import { DerReader, derObjectIdentifier } from '../../encoding/der.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { ecPublicKey, rsaEncryption, subjectPublicKeyInfo } from '../../encoding/spki.ts';
import type { KeyType } from '../signer.ts';

/** RFC 9881, section 2. */
const mlDsa: Readonly<Record<string, KeyType>> = {
  '2.16.840.1.101.3.4.3.17': 'ml-dsa-44',
  '2.16.840.1.101.3.4.3.18': 'ml-dsa-65',
  '2.16.840.1.101.3.4.3.19': 'ml-dsa-87',
};

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
