import { createHash } from 'node:crypto';
import { derBytes, derInteger, derSequence } from '../../encoding/der.ts';
import type { Digest } from '../signer.ts';
import type { Signature, SignatureScheme } from './commands.ts';
import { algorithmName, algorithms, curves, hashes, objectAttributes } from './constants.ts';
import { policyBound, unsupported } from './key-file.ts';
import type { PublicArea } from './public-area.ts';

const hashOf: Readonly<Record<Digest, number>> = {
  SHA256: algorithms.sha256,
  SHA384: algorithms.sha384,
  SHA512: algorithms.sha512,
};

/**
 * Whether the key can sign what the service wants at all.
 *
 * @param source what messages call the key
 * @throws RolesAnywhereError KEY_UNSUPPORTED
 */
export function checkCanSign(area: PublicArea, source: string): void {
  const has = (attribute: number): boolean => (area.attributes & attribute) !== 0;
  if (!has(objectAttributes.sign)) {
    throw unsupported(
      source,
      'it lacks the sign attribute, so that it can only decrypt',
      'create a key with it, as tpm2_create -a sign|userwithauth|fixedtpm|fixedparent|sensitivedataorigin does',
    );
  }
  if (!has(objectAttributes.userWithAuth)) throw policyBound(source);
  if (area.scheme !== undefined && area.scheme.algorithm !== wantedScheme(area)) {
    const bound = algorithmName(area.scheme.algorithm);
    throw unsupported(source, `it is bound to ${bound}, and ${algorithmName(wantedScheme(area))} is needed`);
  }
  if (area.type === 'rsa' && (area.keyBits < 2048 || area.keyBits > 8192)) {
    throw unsupported(source, `it has ${area.keyBits} bits, and IAM Roles Anywhere takes 2048 to 8192`);
  }
  if (area.type === 'ecc' && curves[area.curve] === undefined) {
    throw unsupported(source, `its curve 0x${area.curve.toString(16)} is none of P-256, P-384 and P-521`);
  }
}

/** What goes into TPM2_Sign. */
export interface DigestToSign {
  readonly scheme: SignatureScheme;
  readonly digest: Uint8Array;
}

/**
 * The digest in the form in which the key takes it. A key that is not bound to a hash algorithm takes any. RSASSA puts
 * the algorithm into the signature, so that a bound key can sign with no other. ECDSA does not: there the digest only
 * has to have the right size, and to be the same number.
 *
 * @throws RolesAnywhereError KEY_UNSUPPORTED
 */
export function prepareDigest(
  area: PublicArea,
  source: string,
  message: Uint8Array,
  digest: Digest,
): DigestToSign {
  const algorithm = wantedScheme(area);
  const hash = area.scheme?.hash ?? hashOf[digest];
  const plain = createHash(digest).update(message).digest();
  if (hash === hashOf[digest]) return { scheme: { algorithm, hash }, digest: plain };
  const size = hashes[hash]?.size;
  // A restricted key signs what the TPM hashed itself, with the algorithm that the key is bound to.
  const isRestricted = (area.attributes & objectAttributes.restricted) !== 0;
  const fitted =
    area.type === 'ecc' && size !== undefined && !isRestricted
      ? fitDigest(plain, size, curves[area.curve]?.bytes ?? 0)
      : undefined;
  if (fitted === undefined) {
    throw unsupported(source, `it is bound to ${algorithmName(hash)} and cannot sign ${digest}`);
  }
  return { scheme: { algorithm, hash }, digest: fitted };
}

/**
 * Changes a digest to another size, so that ECDSA makes the same number of it. ECDSA takes the leftmost bytes, as many
 * as the curve's order has (FIPS 186-5, section 6.4.1), so: zeros in front until these are full, and whatever is
 * missing then behind.
 *
 * @returns undefined where bytes that count would not fit
 */
export function fitDigest(digest: Uint8Array, size: number, curveBytes: number): Uint8Array | undefined {
  const number = digest.subarray(0, curveBytes);
  const counted = Math.min(size, curveBytes);
  if (number.length > counted) return undefined;
  const fitted = new Uint8Array(size);
  fitted.set(number, counted - number.length);
  return fitted;
}

/** As the `Signer` contract wants it. */
export function encodeSignature(signature: Signature): Uint8Array {
  if (signature.type === 'rsa') return Uint8Array.from(signature.signature);
  const integer = (bytes: Uint8Array) => derInteger(BigInt(`0x0${Buffer.from(bytes).toString('hex')}`));
  return derBytes(derSequence(integer(signature.r), integer(signature.s)));
}

function wantedScheme(area: PublicArea): number {
  return area.type === 'rsa' ? algorithms.rsaSsa : algorithms.ecdsa;
}
