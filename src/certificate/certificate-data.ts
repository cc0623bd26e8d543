import { DerReader } from '../encoding/der.ts';
import type { Certificate } from './certificate.ts';

/** What `read-certificate-data` prints of a certificate, in the old helper's words and order. */
export interface CertificateData {
  /** RSA, EC, ML-DSA-44, ML-DSA-65 or ML-DSA-87; empty for any other. */
  readonly keyType: string;
  /** DER in base64. */
  readonly certificateData: string;
  /** Decimal. */
  readonly serialNumber: string;
  readonly supportedAlgorithms: readonly string[];
}

const keyTypes: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.1': 'RSA',
  '1.2.840.10045.2.1': 'EC',
  '2.16.840.1.101.3.4.3.17': 'ML-DSA-44',
  '2.16.840.1.101.3.4.3.18': 'ML-DSA-65',
  '2.16.840.1.101.3.4.3.19': 'ML-DSA-87',
};

export function certificateData({ der, serialNumber, publicKey }: Certificate): CertificateData {
  const keyType = keyTypes[new DerReader(publicKey).sequence().sequence().objectIdentifier()] ?? '';
  return {
    keyType,
    certificateData: Buffer.from(der).toString('base64'),
    serialNumber: serialNumber.toString(),
    supportedAlgorithms: keyType.startsWith('ML-DSA')
      ? [keyType]
      : [`${keyType}SHA256`, `${keyType}SHA384`, `${keyType}SHA512`],
  };
}
