import { createDecipheriv } from 'node:crypto';
import { DerReader, tags } from './der.ts';
import { EncodingError, UnsupportedEncodingError } from './encoding-error.ts';
import { derivePbkdf1, derivePbkdf2, derivePkcs12KeyAndIv, deriveScrypt } from './key-derivation.ts';
import type { WorkLimit } from './key-derivation.ts';
import { decipherRc2Cbc } from './rc2.ts';

/**
 * Decrypts what a password-based AlgorithmIdentifier describes: PBES2 (RFC 8018, section 6.2), PBES1 (section 6.1)
 * and the schemes of PKCS#12 (RFC 7292, appendix C). Our own, over the primitives of `node:crypto`: its
 * `createPrivateKey` knows fewer schemes, calls every failure the same, and bounds no cost.
 *
 * @param algorithm the AlgorithmIdentifier, DER
 * @param password in UTF-8; undefined is PKCS#12's no password
 * @returns undefined when the password is seen to be wrong. Where padding alone tells, one wrong password in 256
 *   comes through: whoever asked must look at what came out
 * @throws EncodingError; UnsupportedEncodingError by the name of what is not supported
 */
export async function decryptPbes(
  algorithm: Uint8Array,
  data: Uint8Array,
  password: Uint8Array | undefined,
  work: WorkLimit,
): Promise<Uint8Array | undefined> {
  const reader = new DerReader(algorithm).sequence();
  const identifier = reader.objectIdentifier();
  if (identifier === '1.2.840.113549.1.5.13') {
    return decryptPbes2(reader.sequence(), data, password ?? new Uint8Array(0), work);
  }
  const scheme = pbes1Schemes[identifier];
  if (scheme === undefined) throw unsupported('encryption scheme', identifier);
  const parameters = reader.sequence();
  const costs = { salt: parameters.octetString(), iterations: readCount(parameters), hash: scheme.hash };
  parameters.end();
  const { keyLength, decipher } = scheme;
  if (scheme.kdf === 'pkcs12') {
    const { key, iv } = derivePkcs12KeyAndIv(password, costs, keyLength, 8, work);
    return decipher(key, iv, data);
  }
  const derived = derivePbkdf1(password ?? new Uint8Array(0), costs, work);
  return decipher(derived.subarray(0, 8), derived.subarray(8, 16), data);
}

/** Takes the key over, and wipes it. */
type Decipher = (key: Uint8Array, iv: Uint8Array, data: Uint8Array) => Uint8Array | undefined;

interface Pbes1Scheme {
  readonly kdf: 'pbkdf1' | 'pkcs12';
  readonly hash: 'md5' | 'sha1';
  readonly keyLength: number;
  readonly decipher: Decipher;
}

const rc2 =
  (effectiveBits: number): Decipher =>
  (key, iv, data) => {
    const plain = decipherRc2Cbc(key, effectiveBits, iv, data);
    key.fill(0);
    return withoutPadding(plain);
  };

/** 2-key triple DES is the 3-key one with the first key again, and DES that with one key: no runtime drops both. */
const tripleDes: Decipher = (key, iv, data) => {
  const whole = Uint8Array.from({ length: 24 }, (_, index) => key[index % key.length] ?? 0);
  key.fill(0);
  return decipherCbc('des-ede3-cbc', whole, iv, data);
};

/** RFC 8018, appendix A.3; RFC 7292, appendix C */
const pbes1Schemes: Readonly<Record<string, Pbes1Scheme>> = {
  '1.2.840.113549.1.5.3': { kdf: 'pbkdf1', hash: 'md5', keyLength: 8, decipher: tripleDes },
  '1.2.840.113549.1.5.6': { kdf: 'pbkdf1', hash: 'md5', keyLength: 8, decipher: rc2(64) },
  '1.2.840.113549.1.5.10': { kdf: 'pbkdf1', hash: 'sha1', keyLength: 8, decipher: tripleDes },
  '1.2.840.113549.1.5.11': { kdf: 'pbkdf1', hash: 'sha1', keyLength: 8, decipher: rc2(64) },
  '1.2.840.113549.1.12.1.3': { kdf: 'pkcs12', hash: 'sha1', keyLength: 24, decipher: tripleDes },
  '1.2.840.113549.1.12.1.4': { kdf: 'pkcs12', hash: 'sha1', keyLength: 16, decipher: tripleDes },
  '1.2.840.113549.1.12.1.5': { kdf: 'pkcs12', hash: 'sha1', keyLength: 16, decipher: rc2(128) },
  '1.2.840.113549.1.12.1.6': { kdf: 'pkcs12', hash: 'sha1', keyLength: 5, decipher: rc2(40) },
};

async function decryptPbes2(
  parameters: DerReader,
  data: Uint8Array,
  password: Uint8Array,
  work: WorkLimit,
): Promise<Uint8Array | undefined> {
  const derivation = parameters.sequence();
  const { keyLength, decipher } = readCipher(parameters.sequence());
  parameters.end();
  return decipher(await deriveKey(derivation, keyLength, password, work), data);
}

/**
 * Runs the key derivation function of an AlgorithmIdentifier: PBKDF2 or scrypt.
 *
 * @param expectedLength of the key, in bytes; undefined where the parameters alone say it
 */
export async function deriveKey(
  algorithm: DerReader,
  expectedLength: number | undefined,
  password: Uint8Array,
  work: WorkLimit,
): Promise<Uint8Array> {
  const identifier = algorithm.objectIdentifier();
  switch (identifier) {
    case '1.2.840.113549.1.5.12': {
      // PBKDF2-params: RFC 8018, appendix A.2.
      const parameters = algorithm.sequence();
      const salt = parameters.octetString();
      const iterations = readCount(parameters);
      const keyLength = readKeyLength(parameters, expectedLength);
      const prf = parameters.done ? hmacWithSha1 : parameters.sequence().objectIdentifier();
      parameters.end();
      return derivePbkdf2(password, { salt, iterations, hash: hmacHash(prf) }, keyLength, work);
    }
    case '1.3.6.1.4.1.11591.4.11': {
      // scrypt-params: RFC 7914, section 7.1.
      const parameters = algorithm.sequence();
      const salt = parameters.octetString();
      const [N, r, p] = [readCount(parameters), readCount(parameters), readCount(parameters)];
      const keyLength = readKeyLength(parameters, expectedLength);
      parameters.end();
      return deriveScrypt(password, { salt, N, r, p }, keyLength, work);
    }
    default:
      throw unsupported('key derivation', identifier);
  }
}

/** A length that disagrees with the cipher's would make another cipher. */
function readKeyLength(parameters: DerReader, expected: number | undefined): number {
  const length = parameters.peek() === tags.integer ? readCount(parameters) : expected;
  if (length === undefined || length !== (expected ?? length)) {
    throw new EncodingError("the key's length is missing, or not the cipher's");
  }
  return length;
}

const hmacWithSha1 = '1.2.840.113549.2.7';

/** RFC 8018, appendix B.1 */
const hmacHashes: Readonly<Record<string, string>> = {
  [hmacWithSha1]: 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
  '1.2.840.113549.2.12': 'sha512-224',
  '1.2.840.113549.2.13': 'sha512-256',
};

/** The hash inside an HMAC, by the HMAC's object identifier. */
export function hmacHash(identifier: string): string {
  const hash = hmacHashes[identifier];
  if (hash === undefined) throw unsupported('pseudo-random function', identifier);
  return hash;
}

interface Cipher {
  readonly keyLength: number;
  readonly decipher: (key: Uint8Array, data: Uint8Array) => Uint8Array | undefined;
}

/** AES is under this arc, RFC 3565 and RFC 5084: 2 is CBC, 6 GCM; plus 20 for 192 bits, plus 40 for 256. */
const aes = /^2\.16\.840\.1\.101\.3\.4\.1\.(2|6|22|26|42|46)$/;

/** encryptionScheme: RFC 8018, appendix B.2 */
function readCipher(algorithm: DerReader): Cipher {
  const identifier = algorithm.objectIdentifier();
  const arc = Number(aes.exec(identifier)?.[1] ?? 0);
  const bits = 128 + 64 * Math.trunc(arc / 20);
  if (arc % 20 === 6) return readGcm(algorithm.sequence(), bits);
  const [name, keyLength, ivLength] =
    arc % 20 === 2
      ? ([`aes-${bits}-cbc`, bits / 8, 16] as const)
      : identifier === '1.2.840.113549.3.7'
        ? (['des-ede3-cbc', 24, 8] as const)
        : [undefined, 0, 0];
  if (name === undefined) throw unsupported('cipher', identifier);
  const iv = algorithm.octetString();
  algorithm.end();
  if (iv.length !== ivLength)
    throw new EncodingError("the initialization vector's length is not the cipher's");
  return { keyLength, decipher: (key, data) => decipherCbc(name, key, iv, data) };
}

/** GCMParameters (RFC 5084, section 3.2); the tag stands behind the data, as Bouncy Castle writes it. */
function readGcm(parameters: DerReader, bits: number): Cipher {
  const nonce = parameters.octetString();
  const authTagLength = parameters.done ? 12 : Number(parameters.integer());
  parameters.end();
  if (nonce.length < 1 || nonce.length > 64 || authTagLength < 12 || authTagLength > 16) {
    throw new EncodingError("the lengths of GCM's nonce and tag are not RFC 5084's");
  }
  return {
    keyLength: bits / 8,
    decipher(key, data) {
      const decipher = createDecipheriv(`aes-${bits as 128}-gcm`, key, nonce, { authTagLength });
      key.fill(0);
      const end = data.length - authTagLength;
      if (end < 0) return undefined;
      const plain = decipher.setAuthTag(data.subarray(end)).update(data.subarray(0, end));
      try {
        decipher.final();
        return plain;
      } catch {
        plain.fill(0);
        return undefined;
      }
    },
  };
}

/**
 * Deciphers a block cipher in CBC mode and takes its padding off (RFC 8018, section 6.1.1). Wipes the key.
 *
 * @param name as OpenSSL calls it; key and initialization vector have its lengths
 * @returns undefined when the padding is wrong
 */
export function decipherCbc(
  name: string,
  key: Uint8Array,
  iv: Uint8Array,
  data: Uint8Array,
): Uint8Array | undefined {
  let decipher;
  try {
    decipher = createDecipheriv(name, key, iv).setAutoPadding(false);
  } catch {
    throw new UnsupportedEncodingError(`${name.toUpperCase()}, which this runtime lacks`);
  } finally {
    key.fill(0);
  }
  const plain = decipher.update(data);
  return plain.length === data.length ? withoutPadding(plain, iv.length) : undefined;
}

function withoutPadding(plain: Uint8Array, block = 8): Uint8Array | undefined {
  const count = plain.at(-1) ?? 0;
  const end = plain.length - count;
  if (count >= 1 && count <= block && end >= 0 && plain.subarray(end).every((byte) => byte === count)) {
    return plain.subarray(0, end);
  }
  plain.fill(0);
  return undefined;
}

/** A positive number of modest size: an iteration count, or a parameter of scrypt. */
export function readCount(parameters: DerReader): number {
  const count = parameters.integer();
  if (count < 1n) throw new EncodingError('a count is not positive');
  return Number(count);
}

/** What is met in the field and not supported, by the name that people know. */
const names: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.5.1': 'PBE with MD2 and DES',
  '1.2.840.113549.1.5.4': 'PBE with MD2 and RC2',
  '1.2.840.113549.1.12.1.1': 'PBE with SHA-1 and 128-bit RC4',
  '1.2.840.113549.1.12.1.2': 'PBE with SHA-1 and 40-bit RC4',
  '1.2.840.113549.2.6': 'HMAC with MD5',
  '1.2.840.113549.3.2': 'RC2',
  '1.3.14.3.2.7': 'DES',
  '1.2.156.10197.1.104.2': 'SM4',
  '1.2.156.10197.1.401.2': 'HMAC with SM3',
  '1.2.392.200011.61.1.1.1.2': 'Camellia',
  '1.2.392.200011.61.1.1.1.3': 'Camellia',
  '1.2.392.200011.61.1.1.1.4': 'Camellia',
  '1.2.410.200004.1.4': 'SEED',
  '1.2.410.200046.1.1.2': 'ARIA',
  '1.2.410.200046.1.1.7': 'ARIA',
  '1.2.410.200046.1.1.12': 'ARIA',
};

function unsupported(kind: string, identifier: string): UnsupportedEncodingError {
  return new UnsupportedEncodingError(names[identifier] ?? `${kind} ${identifier}`);
}
