import { certificateData } from '../../certificate/certificate-data.ts';
import { listCertificates } from '../../identity/certificates.ts';
import type { Reading } from '../fast-path.ts';
import { identityOptions } from '../identity-options.ts';
import { print, stderrReporter } from '../output.ts';

/** Prints what the old helper prints of a certificate, without a line end; of several, each on its own line. */
export async function run({ values }: Reading<'read-certificate-data'>): Promise<void> {
  const certificates = await listCertificates(identityOptions(values, stderrReporter(values.debug)));
  const lines = certificates.map((certificate) =>
    JSON.stringify({ ...certificateData(certificate), uri: certificate.uri }),
  );
  print(lines.length === 1 ? lines.join('') : lines.map((line) => `${line}\n`).join(''));
}
