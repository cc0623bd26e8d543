import { DerReader, contextTag } from '../encoding/der.ts';

const hashes: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.2': 'MD2',
  '1.2.840.113549.2.5': 'MD5',
  '1.3.14.3.2.26': 'SHA-1',
  '2.16.840.1.101.3.4.2.4': 'SHA-224',
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
};

/** RFC 8017, appendix A.2; RFC 5758, section 3; RFC 3279, section 2.2 */
const hashesOfSignatures: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.2': 'MD2',
  '1.2.840.113549.1.1.3': 'MD4',
  '1.2.840.113549.1.1.4': 'MD5',
  '1.2.840.113549.1.1.5': 'SHA-1',
  '1.3.14.3.2.29': 'SHA-1',
  '1.2.840.113549.1.1.14': 'SHA-224',
  '1.2.840.113549.1.1.11': 'SHA-256',
  '1.2.840.113549.1.1.12': 'SHA-384',
  '1.2.840.113549.1.1.13': 'SHA-512',
  '1.2.840.10045.4.1': 'SHA-1',
  '1.2.840.10045.4.3.1': 'SHA-224',
  '1.2.840.10045.4.3.2': 'SHA-256',
  '1.2.840.10045.4.3.3': 'SHA-384',
  '1.2.840.10045.4.3.4': 'SHA-512',
  '1.2.840.10040.4.3': 'SHA-1',
};

const rsassaPss = '1.2.840.113549.1.1.10';

/** What an AlgorithmIdentifier (DER) says of a signature. Throws EncodingError. */
export function readSignatureAlgorithm(der: Uint8Array): { oid: string; hash: string | undefined } {
  const identifier = new DerReader(der).sequence();
  const oid = identifier.objectIdentifier();
  if (oid !== rsassaPss) return { oid, hash: hashesOfSignatures[oid] };
  // RSASSA-PSS-params: [0] hashAlgorithm DEFAULT sha1 (RFC 8017, appendix A.2.3).
  const hash = identifier.sequence().enterOptional(contextTag(0))?.sequence().objectIdentifier();
  return { oid, hash: hash === undefined ? 'SHA-1' : hashes[hash] };
}
