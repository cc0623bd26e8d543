import { derKind } from '../encoding/contents.ts';
import { DerReader, isDer, tags } from '../encoding/der.ts';
import { EncodingError } from '../encoding/encoding-error.ts';
import { readPem } from '../encoding/pem.ts';
import { RolesAnywhereError } from '../errors.ts';
import { decodeCertificate } from './certificate.ts';
import type { Certificate } from './certificate.ts';

/** OpenSSL's own: behind the certificate stands what its owner trusts it for. */
const trusted = 'TRUSTED CERTIFICATE';

/** RFC 7468, section 5.1, with the older spellings. */
const labels = ['CERTIFICATE', 'X509 CERTIFICATE', trusted];

/**
 * Every certificate in a PEM or DER file, in the file's order; several DER certificates may follow each other. Other
 * PEM blocks are passed over. The result shares no memory with the input.
 *
 * @param source where the bytes come from, as error messages shall call it
 * @returns an empty list when the file holds none
 * @throws RolesAnywhereError CERTIFICATE_INVALID when a certificate cannot be parsed
 */
export function readCertificates(bytes: Uint8Array, source: string): Certificate[] {
  try {
    const blocks = isDer(bytes) ? [] : readPem(bytes);
    if (blocks.length > 0) {
      return blocks
        .filter(({ label }) => labels.includes(label))
        .map((block) => {
          const der = block.decode();
          return decodeCertificate(block.label === trusted ? new DerReader(der).next().encoded : der);
        });
    }
    if (bytes[0] !== tags.sequence || !['certificate', undefined].includes(derKind(bytes))) return [];
    return readDer(Uint8Array.from(bytes));
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    throw new RolesAnywhereError(
      'CERTIFICATE_INVALID',
      `cannot parse certificate ${source}: ${error.message}`,
    );
  }
}

function readDer(bytes: Uint8Array): Certificate[] {
  const reader = new DerReader(bytes);
  const certificates: Certificate[] = [];
  while (!reader.done) certificates.push(decodeCertificate(reader.next(tags.sequence).encoded));
  return certificates;
}
