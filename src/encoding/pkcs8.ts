import { DerReader, tags } from './der.ts';
import { WorkLimit } from './key-derivation.ts';
import { decryptPbes } from './pbes.ts';

/**
 * Decrypts an EncryptedPrivateKeyInfo (RFC 5958, section 3), DER, to the PrivateKeyInfo inside.
 *
 * @param password in UTF-8; undefined is PKCS#12's no password
 * @returns undefined when the password is seen to be wrong; see `decryptPbes`
 * @throws EncodingError; UnsupportedEncodingError by the name of what is not supported
 */
export async function decryptPrivateKeyInfo(
  der: Uint8Array,
  password: Uint8Array | undefined,
  work = new WorkLimit(),
): Promise<Uint8Array | undefined> {
  const file = new DerReader(der);
  const info = file.sequence();
  file.end();
  const algorithm = info.next(tags.sequence).encoded;
  const data = info.octetString();
  info.end();
  return decryptPbes(algorithm, data, password, work);
}
