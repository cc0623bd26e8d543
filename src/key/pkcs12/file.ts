import type { Certificate } from '../../certificate/certificate.ts';
import { decodeCertificate } from '../../certificate/certificate.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { openPkcs12 } from '../../encoding/pkcs12.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { PasswordProvider } from '../password.ts';
import { supported, unlock } from '../unlock.ts';

/** What a PKCS#12 file holds, in its own order. */
export interface Pkcs12File {
  readonly certificates: readonly Certificate[];
  /** PKCS#8, DER. Wipe them. */
  readonly keys: readonly Uint8Array[];
}

/**
 * Decrypts a PKCS#12 file. A password is asked for only when the file does not open without one.
 *
 * @throws RolesAnywhereError CERTIFICATE_INVALID, KEY_UNSUPPORTED, or a code of passwords
 */
export async function openPkcs12File(
  { bytes, name }: { readonly bytes: Uint8Array; readonly name: string },
  keyPassword: PasswordProvider | undefined,
): Promise<Pkcs12File> {
  const what = `the PKCS#12 file ${name}`;
  try {
    const { certificates, keys } =
      (await supported(what, () => openPkcs12(bytes, new Uint8Array(0)))) ??
      (await unlock(what, keyPassword, (password) => openPkcs12(bytes, password)));
    return { certificates: certificates.map((der) => decodeCertificate(der)), keys };
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    throw new RolesAnywhereError('CERTIFICATE_INVALID', `cannot parse ${what}: ${error.message}`);
  }
}
