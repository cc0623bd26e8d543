import { derBytes, derElement, derInteger, derObjectIdentifier, derSequence, tags } from './der.ts';
import type { DerPieces } from './der.ts';

/** The algorithms of RFC 8017 (appendix C) and RFC 5480 (section 2.1.1). */
export const rsaEncryption = '1.2.840.113549.1.1.1';
export const ecPublicKey = '1.2.840.10045.2.1';

export const derNull: DerPieces = [Uint8Array.of(0x05, 0x00)];

/** SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) of a key without unused bits. */
export function subjectPublicKeyInfo(oid: string, parameters: DerPieces, key: Uint8Array): Uint8Array {
  const bits = derElement(tags.bitString, [Uint8Array.of(0), key]);
  return derBytes(derSequence(derSequence(derObjectIdentifier(oid), parameters), bits));
}

/** The SubjectPublicKeyInfo of an RSA key (RFC 8017, appendix A.1.1); its numbers big-endian, unsigned. */
export function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array): Uint8Array {
  const key = derSequence(derInteger(unsigned(modulus)), derInteger(unsigned(exponent)));
  return subjectPublicKeyInfo(rsaEncryption, derNull, derBytes(key));
}

function unsigned(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
