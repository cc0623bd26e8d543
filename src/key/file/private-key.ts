import { mlDsaOf } from '../../certificate/ml-dsa.ts';
import type { MlDsa } from '../../certificate/ml-dsa.ts';
import { derKind } from '../../encoding/contents.ts';
import {
  DerReader,
  contextTag,
  derBytes,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
  tags,
} from '../../encoding/der.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { ecPublicKey, rsaEncryption, rsaPublicKey } from '../../encoding/spki.ts';
import { RolesAnywhereError } from '../../errors.ts';

/** A private key that we can sign with, in the form that `node:crypto` takes. Wipe it when it is imported. */
export type PrivateKey =
  | {
      readonly keyType: 'rsa';
      readonly type: 'pkcs1';
      readonly der: Uint8Array;
      /** SubjectPublicKeyInfo, DER. */
      readonly publicKey: Uint8Array;
    }
  | { readonly keyType: 'ec'; readonly type: 'pkcs8'; readonly der: Uint8Array }
  | { readonly keyType: MlDsa; readonly type: 'pkcs8'; readonly der: Uint8Array };

/** P-256, P-384 and P-521 (RFC 5480, section 2.1.1.1) with the order of each (FIPS 186-5, SP 800-186, section 3.2.1). */
const orders: Readonly<Record<string, Buffer>> = {
  '1.2.840.10045.3.1.7': Buffer.from(
    'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    'hex',
  ),
  '1.3.132.0.34': Buffer.from(`${'f'.repeat(48)}c7634d81f4372ddf581a0db248b0a77aecec196accc52973`, 'hex'),
  '1.3.132.0.35': Buffer.from(
    `01${'f'.repeat(64)}fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`,
    'hex',
  ),
};

/** Key types and curves that are met in the field and not accepted: refused by the name that people know. */
const names: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.10': 'RSA-PSS',
  '1.2.840.113549.1.1.7': 'RSA-OAEP',
  '1.2.840.10040.4.1': 'DSA',
  '1.2.840.113549.1.3.1': 'DH',
  '1.2.840.10046.2.1': 'DH (X9.42)',
  '1.3.101.110': 'X25519',
  '1.3.101.111': 'X448',
  '1.3.101.112': 'Ed25519',
  '1.3.101.113': 'Ed448',
  '1.2.156.10197.1.301': 'SM2',
  '1.3.132.0.10': 'secp256k1',
  '1.3.132.0.33': 'P-224',
  '1.2.840.10045.3.1.1': 'P-192',
  '1.3.36.3.3.2.8.1.1.7': 'brainpoolP256r1',
  '1.3.36.3.3.2.8.1.1.8': 'brainpoolP256t1',
  '1.3.36.3.3.2.8.1.1.11': 'brainpoolP384r1',
  '1.3.36.3.3.2.8.1.1.12': 'brainpoolP384t1',
  '1.3.36.3.3.2.8.1.1.13': 'brainpoolP512r1',
  '1.3.36.3.3.2.8.1.1.14': 'brainpoolP512t1',
};

/**
 * Reads a private key by its structure, whatever the PEM label in front of it says: PKCS#1 (RFC 8017, appendix
 * A.1.2), SEC1 (RFC 5915) or PKCS#8 (RFC 5958).
 *
 * @param source as error messages shall call it
 * @param curve the object identifier from an EC PARAMETERS block, for a SEC1 key that does not name its curve
 * @throws RolesAnywhereError KEY_UNSUPPORTED or KEY_INVALID
 * @throws EncodingError
 */
export function decodePrivateKey(der: Uint8Array, source: string, curve?: string): PrivateKey {
  const kind = derKind(der);
  if (kind !== 'private key' && kind !== undefined) {
    throw new RolesAnywhereError('KEY_INVALID', `private key ${source} is no private key: it is a ${kind}`);
  }
  const file = new DerReader(der);
  const key = file.sequence();
  file.end();
  key.integer();
  switch (key.peek()) {
    case tags.integer:
      return decodeRsa(der, source);
    case tags.octetString:
      return decodeEc(der, source, curve);
    default:
      return decodePkcs8(key, source);
  }
}

/** OneAsymmetricKey (RFC 5958, section 2), behind its version. */
function decodePkcs8(key: DerReader, source: string): PrivateKey {
  const algorithm = key.sequence();
  const type = algorithm.objectIdentifier();
  if (type === rsaEncryption) return decodeRsa(key.octetString(), source);
  if (type === ecPublicKey) return decodeEc(key.octetString(), source, readCurve(algorithm, source));
  const mlDsa = mlDsaOf(type);
  if (mlDsa !== undefined) {
    // Without the public key that may stand beside it, as below.
    const rebuilt = derSequence(
      derInteger(0n),
      derSequence(derObjectIdentifier(type)),
      derOctetString([key.octetString()]),
    );
    return { keyType: mlDsa, type: 'pkcs8', der: derBytes(rebuilt) };
  }
  throw unsupported(`${source} is of type ${names[type] ?? type}`);
}

function decodeRsa(der: Uint8Array, source: string): PrivateKey {
  const key = new DerReader(der).sequence();
  const version = key.integer();
  const numbers: Uint8Array[] = [];
  while (key.peek() === tags.integer) numbers.push(key.next().content);
  if (version === 0n && numbers.length === 5) throw unsupported(`${source} is of type DSA`);
  if (version !== 0n) throw unsupported(`${source} is an RSA key of more than two primes`);
  key.end();
  const [modulus, exponent] = numbers;
  if (numbers.length !== 8 || modulus === undefined || exponent === undefined) {
    throw new EncodingError('it has not the numbers of an RSA key');
  }
  const bits = bitLength(modulus);
  // An absurd one would keep the processor busy for hours.
  if (numbers.some((number) => bitLength(number) > bits)) {
    throw new EncodingError('a number of it is longer than its modulus');
  }
  if (bits < 2048 || bits > 8192) throw unsupported(`${source} is an RSA key of ${bits} bits`);
  return { keyType: 'rsa', type: 'pkcs1', der, publicKey: rsaPublicKey(modulus, exponent) };
}

/** ECPrivateKey (RFC 5915, section 3) */
function decodeEc(der: Uint8Array, source: string, outerCurve: string | undefined): PrivateKey {
  const key = new DerReader(der).sequence();
  key.integer();
  const secret = key.octetString();
  const parameters = key.enterOptional(contextTag(0));
  const curve = parameters === undefined ? outerCurve : readCurve(parameters, source);
  if (curve === undefined) {
    throw new RolesAnywhereError(
      'KEY_INVALID',
      `private key ${source} is an EC key that does not say on which curve`,
      { hint: 'put the EC PARAMETERS block that belongs to it in front of it' },
    );
  }
  const order = orders[curve];
  if (order === undefined) throw unsupported(`${source} is an EC key on ${names[curve] ?? curve}`);
  // OpenSSL imports a secret of zero, or of the order itself, without a word.
  const digits = significant(secret);
  if (
    digits.length === 0 ||
    digits.length > order.length ||
    (digits.length === order.length && Buffer.compare(digits, order) >= 0)
  ) {
    throw new EncodingError('its secret is no number between zero and the order of the curve');
  }
  // Without the public key that may stand beside it: computed from the secret, it cannot be another key's. In PKCS#8,
  // since BoringSSL does not take ECPrivateKey alone without it.
  const rebuilt = derSequence(
    derInteger(0n),
    derSequence(derObjectIdentifier(ecPublicKey), derObjectIdentifier(curve)),
    derOctetString(derSequence(derInteger(1n), derOctetString([secret]))),
  );
  return { keyType: 'ec', type: 'pkcs8', der: derBytes(rebuilt) };
}

/** ECParameters (RFC 5480, section 2.1.1): the curve's name, and never its equation. */
export function readCurve(parameters: DerReader, source: string): string | undefined {
  if (parameters.done) return undefined;
  if (parameters.peek() === tags.objectIdentifier) return parameters.objectIdentifier();
  throw new RolesAnywhereError(
    'KEY_UNSUPPORTED',
    `private key ${source} is an EC key with explicit parameters`,
    { hint: 'write it with the name of its curve: openssl ec -in FILE -param_enc named_curve -out FILE' },
  );
}

function unsupported(what: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'KEY_UNSUPPORTED',
    `private key ${what}, which IAM Roles Anywhere does not accept`,
    {
      hint: 'use an RSA key of 2048 to 8192 bits, an EC key on P-256, P-384 or P-521, or an ML-DSA key',
    },
  );
}

/** A positive number's bytes without its leading zeros. */
function significant(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? bytes.subarray(bytes.length) : bytes.subarray(first);
}

function bitLength(content: Uint8Array): number {
  const digits = significant(content);
  return 8 * digits.length - (Math.clz32(digits[0] ?? 0xff) - 24);
}
