import { createHmac, timingSafeEqual } from 'node:crypto';
import { DerReader } from './der.ts';
import { EncodingError, UnsupportedEncodingError } from './encoding-error.ts';
import { derivePkcs12, hashLength, purposes } from './key-derivation.ts';
import type { WorkLimit } from './key-derivation.ts';
import { deriveKey, hmacHash, readCount } from './pbes.ts';

/** RFC 7292, appendix B.4, and what OpenSSL's -macalg offers. */
const digests: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.5': 'md5',
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

const pbmac1 = '1.2.840.113549.1.5.14';

/**
 * Checks a PKCS#12 file's integrity, and with it the password.
 *
 * @param macData DER: RFC 7292, section 4; with PBMAC1 as RFC 9579 puts it in there
 * @param password in UTF-8; undefined is no password
 * @throws EncodingError; UnsupportedEncodingError
 */
export async function verifyMac(
  macData: Uint8Array,
  content: Uint8Array,
  password: Uint8Array | undefined,
  work: WorkLimit,
): Promise<boolean> {
  const mac = new DerReader(macData).sequence();
  const digestInfo = mac.sequence();
  const algorithm = digestInfo.sequence();
  const expected = digestInfo.octetString();
  digestInfo.end();
  const salt = mac.octetString();
  const iterations = mac.done ? 1 : readCount(mac);
  mac.end();

  const identifier = algorithm.objectIdentifier();
  const hash = digests[identifier];
  if (hash !== undefined) {
    const key = derivePkcs12(password, { salt, iterations, hash }, purposes.mac, hashLength(hash), work);
    return matches(hash, key, content, expected);
  }
  if (identifier !== pbmac1) throw new UnsupportedEncodingError(`integrity by ${identifier}`);
  // PBMAC1-params: RFC 8018, appendix A.5. The salt and the count above mean nothing then (RFC 9579, section 4).
  const parameters = algorithm.sequence();
  const key = await deriveKey(parameters.sequence(), undefined, password ?? new Uint8Array(0), work);
  // RFC 9579, section 5.
  if (key.length < 20) throw new EncodingError('the key of its integrity check is shorter than 20 bytes');
  return matches(hmacHash(parameters.sequence().objectIdentifier()), key, content, expected);
}

function matches(hash: string, key: Uint8Array, content: Uint8Array, expected: Uint8Array): boolean {
  const actual = createHmac(hash, key).update(content).digest();
  key.fill(0);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
