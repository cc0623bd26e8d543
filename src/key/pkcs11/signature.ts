import { createHash } from 'node:crypto';
import {
  derBytes,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../encoding/der.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { derNull } from '../../encoding/spki.ts';
import type { Digest } from '../signer.ts';
import * as ck from './constants.ts';
import type { PublicKeyFacts } from './public-key.ts';

/** One way to ask the module for the signature that the service expects. */
export interface SigningMethod {
  /** CKM_… */
  readonly mechanism: number;
  /** What C_Sign is given. */
  readonly data: Uint8Array;
  /** Makes what C_Sign gives the signature that the service expects. Throws EncodingError. */
  readonly finish: (signature: Uint8Array) => Uint8Array;
}

const digests = {
  SHA256: { oid: '2.16.840.1.101.3.4.2.1', rsa: ck.CKM_SHA256_RSA_PKCS, ecdsa: ck.CKM_ECDSA_SHA256 },
  SHA384: { oid: '2.16.840.1.101.3.4.2.2', rsa: ck.CKM_SHA384_RSA_PKCS, ecdsa: ck.CKM_ECDSA_SHA384 },
  SHA512: { oid: '2.16.840.1.101.3.4.2.3', rsa: ck.CKM_SHA512_RSA_PKCS, ecdsa: ck.CKM_ECDSA_SHA512 },
} as const satisfies Record<Digest, unknown>;

/**
 * The ways to sign a message with a key, the preferred one first: hashing here, since then a slow token gets few
 * bytes, and hashing in the module where that alone is offered.
 */
export function signingMethods(
  { keyType, coordinateSize }: PublicKeyFacts,
  message: Uint8Array,
  digest: Digest,
): readonly SigningMethod[] {
  const { oid, rsa, ecdsa } = digests[digest];
  const asIs = (signature: Uint8Array): Uint8Array => signature;
  if (keyType === 'rsa') {
    return [
      { mechanism: ck.CKM_RSA_PKCS, data: digestInfo(oid, digestOf(message, digest)), finish: asIs },
      { mechanism: rsa, data: message, finish: asIs },
    ];
  }
  if (keyType === 'ec' && coordinateSize !== undefined) {
    const finish = (signature: Uint8Array): Uint8Array => ecdsaSignature(signature, coordinateSize);
    // A digest longer than the curve's order counts by its leftmost bits (FIPS 186-5, section 6.4.1); not every
    // module cuts it by itself.
    const data = digestOf(message, digest).subarray(0, coordinateSize);
    return [
      { mechanism: ck.CKM_ECDSA, data, finish },
      { mechanism: ecdsa, data: message, finish },
    ];
  }
  // PKCS #11 3.2, "ML-DSA": without a parameter the context is empty, and hedging is the module's to choose.
  return [{ mechanism: ck.CKM_ML_DSA, data: message, finish: asIs }];
}

function digestOf(message: Uint8Array, digest: Digest): Buffer {
  return createHash(digest).update(message).digest();
}

/** RFC 8017, section 9.2, step 2: the algorithm with a NULL parameter. */
function digestInfo(oid: string, value: Uint8Array): Uint8Array {
  return derBytes(derSequence(derSequence(derObjectIdentifier(oid), derNull), derOctetString([value])));
}

/**
 * PKCS #11 gives r and s as they are, one after the other, of one length (version 2.40, section 2.3.1); RFC 3279
 * wants a SEQUENCE.
 */
function ecdsaSignature(raw: Uint8Array, size: number): Uint8Array {
  const half = raw.length / 2;
  if (!Number.isInteger(half) || half === 0 || half > size) {
    throw new EncodingError(`an ECDSA signature of ${raw.length} bytes, not ${2 * size}`);
  }
  const integer = (start: number): bigint =>
    BigInt(`0x${Buffer.from(raw.subarray(start, start + half)).toString('hex')}`);
  return derBytes(derSequence(derInteger(integer(0)), derInteger(integer(half))));
}
