import { UnsupportedEncodingError, EncodingError } from './encoding-error.ts';
import { deriveBytesToKey } from './key-derivation.ts';
import { decipherCbc } from './pbes.ts';
import type { PemBlock } from './pem.ts';

/** The ciphers as DEK-Info writes them, with the length of their keys. */
const ciphers: Readonly<Record<string, number>> = {
  'AES-128-CBC': 16,
  'AES-192-CBC': 24,
  'AES-256-CBC': 32,
  'DES-EDE3-CBC': 24,
};

/**
 * Decrypts a PEM block as OpenSSL wrote encrypted keys before PKCS#8 (RFC 1421, section 4.6.1.3, and PEM_do_header of
 * OpenSSL): the initialization vector in DEK-Info is the salt too.
 *
 * @param password its bytes, as they are
 * @returns undefined when the password is seen to be wrong; see `decryptPbes`
 * @throws EncodingError; UnsupportedEncodingError by the name of what is not supported
 */
export function decryptPem(block: PemBlock, password: Uint8Array): Uint8Array | undefined {
  const [, name = '', hex = ''] = /^([^,]+),([0-9A-F]+)$/i.exec(block.headers.get('DEK-Info') ?? '') ?? [];
  if (hex === '') throw new EncodingError('it does not say how it is encrypted');
  const keyLength = ciphers[name.toUpperCase()];
  if (keyLength === undefined) throw new UnsupportedEncodingError(name.replace(/[^\w-]/g, '?').slice(0, 40));
  const iv = Buffer.from(hex, 'hex');
  if (iv.length !== (name.toUpperCase().startsWith('AES') ? 16 : 8)) {
    throw new EncodingError("the initialization vector's length is not the cipher's");
  }
  const key = deriveBytesToKey(password, iv.subarray(0, 8), keyLength);
  return decipherCbc(name.toLowerCase(), key, iv, block.decode());
}
