import type { Certificate } from '../certificate/certificate.ts';
import { readCertificates } from '../certificate/read.ts';
import { isPkcs12 } from '../encoding/contents.ts';
import type { PasswordProvider } from './password.ts';
import type { Source, Sources } from './source.ts';

/**
 * Every certificate that a source holds, in its order: PEM, DER or PKCS#12.
 *
 * @throws RolesAnywhereError CERTIFICATE_INVALID; with PKCS#12, KEY_UNSUPPORTED or a code of passwords too
 */
export async function certificatesIn(
  source: Source,
  sources: Sources,
  keyPassword: PasswordProvider | undefined,
): Promise<readonly Certificate[]> {
  return isPkcs12(source.bytes)
    ? (await sources.openPkcs12(source, keyPassword)).certificates
    : readCertificates(source.bytes, source.name);
}
