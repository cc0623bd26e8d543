import type { Reading } from '../fast-path.ts';
import { identityOptions } from '../identity-options.ts';
import { print, stderrReporter } from '../output.ts';

/** Prints what the old helper prints of a certificate, without a line end; of several, each on its own line. */
export async function run({ values }: Reading<'read-certificate-data'>): Promise<void> {
  const { listCertificates } = await import('../../identity.ts');
  const { certificateData } = await import('../../certificate/certificate-data.ts');
  const certificates = await listCertificates(identityOptions(values, stderrReporter(values.debug)));
  const lines = certificates.map((certificate) => JSON.stringify(certificateData(certificate)));
  print(lines.length === 1 ? lines.join('') : lines.map((line) => `${line}\n`).join(''));
}
