import { createCipheriv, pbkdf2Sync, scryptSync } from 'node:crypto';
import {
  derBytes,
  derElement,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../src/encoding/der.ts';
import type { DerPieces } from '../../src/encoding/der.ts';

/* Encrypts as files in the field are, including in ways that OpenSSL reads but does not write. */

const prfs = {
  sha1: '1.2.840.113549.2.7',
  sha224: '1.2.840.113549.2.8',
  sha256: '1.2.840.113549.2.9',
  sha384: '1.2.840.113549.2.10',
  sha512: '1.2.840.113549.2.11',
  'sha512-224': '1.2.840.113549.2.12',
  'sha512-256': '1.2.840.113549.2.13',
} as const;

const ciphers = {
  'aes-128-cbc': ['2.16.840.1.101.3.4.1.2', 16],
  'aes-192-cbc': ['2.16.840.1.101.3.4.1.22', 24],
  'aes-256-cbc': ['2.16.840.1.101.3.4.1.42', 32],
  'des-ede3-cbc': ['1.2.840.113549.3.7', 24],
  'aes-128-gcm': ['2.16.840.1.101.3.4.1.6', 16],
  'aes-192-gcm': ['2.16.840.1.101.3.4.1.26', 24],
  'aes-256-gcm': ['2.16.840.1.101.3.4.1.46', 32],
} as const;

export type Prf = keyof typeof prfs;
export type Cipher = keyof typeof ciphers;
export const prfNames = Object.keys(prfs) as Prf[];
export const cipherNames = Object.keys(ciphers) as Cipher[];

export interface Pbes2Options {
  readonly cipher?: Cipher;
  readonly prf?: Prf;
  readonly iterations?: number;
  /** Written down in the parameters. */
  readonly keyLength?: number;
  /** Instead of PBKDF2. */
  readonly scrypt?: { readonly N: number; readonly r: number; readonly p: number };
  /** Of GCM. */
  readonly tagLength?: number;
  readonly salt?: Uint8Array;
}

/** An EncryptedPrivateKeyInfo with PBES2 (RFC 8018, section 6.2), DER. */
export function encryptPbes2(
  plain: Uint8Array,
  password: Uint8Array,
  options: Pbes2Options = {},
): Uint8Array {
  const { cipher = 'aes-256-cbc', prf = 'sha256', iterations = 10, scrypt, tagLength = 16 } = options;
  const { salt = Buffer.from('12345678') } = options;
  const [identifier, length] = ciphers[cipher];
  const key =
    scrypt === undefined
      ? pbkdf2Sync(password, salt, iterations, length, prf)
      : scryptSync(password, salt, length, { ...scrypt, maxmem: 512 * 1024 * 1024 });
  const iv = Buffer.alloc(cipher.endsWith('gcm') ? 12 : cipher.startsWith('des') ? 8 : 16, 7);
  let data: Buffer;
  let parameters: DerPieces;
  if (cipher === 'aes-128-gcm' || cipher === 'aes-192-gcm' || cipher === 'aes-256-gcm') {
    const engine = createCipheriv(cipher, key, iv, { authTagLength: tagLength });
    data = Buffer.concat([engine.update(plain), engine.final(), engine.getAuthTag()]);
    parameters = derSequence(derOctetString([iv]), tagLength === 12 ? [] : derInteger(BigInt(tagLength)));
  } else {
    const engine = createCipheriv(cipher, key, iv);
    data = Buffer.concat([engine.update(plain), engine.final()]);
    parameters = derOctetString([iv]);
  }
  const explicitLength = options.keyLength === undefined ? [] : derInteger(BigInt(options.keyLength));
  const derivation =
    scrypt === undefined
      ? derSequence(
          derObjectIdentifier('1.2.840.113549.1.5.12'),
          derSequence(
            derOctetString([salt]),
            derInteger(BigInt(iterations)),
            explicitLength,
            prf === 'sha1' ? [] : derSequence(derObjectIdentifier(prfs[prf]), derElement(0x05)),
          ),
        )
      : derSequence(
          derObjectIdentifier('1.3.6.1.4.1.11591.4.11'),
          derSequence(
            derOctetString([salt]),
            ...[scrypt.N, scrypt.r, scrypt.p].map((number) => derInteger(BigInt(number))),
            explicitLength,
          ),
        );
  return encryptedInfo(
    derSequence(
      derObjectIdentifier('1.2.840.113549.1.5.13'),
      derSequence(derivation, derSequence(derObjectIdentifier(identifier), parameters)),
    ),
    data,
  );
}

export function encryptedInfo(algorithm: DerPieces, data: Uint8Array): Uint8Array {
  return derBytes(derSequence(algorithm, derOctetString([data])));
}
