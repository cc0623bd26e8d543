import { EncodingError } from '../../encoding/encoding-error.ts';
import type { PemBlock } from '../../encoding/pem.ts';
import { decryptPrivateKeyInfo } from '../../encoding/pkcs8.ts';
import { decryptPem } from '../../encoding/traditional-pem.ts';
import type { PasswordProvider } from '../password.ts';
import type { Signer } from '../signer.ts';
import { unlock } from '../unlock.ts';
import { openPlain } from './plain.ts';

/**
 * Opens an encrypted PKCS#8 key, DER.
 *
 * @throws RolesAnywhereError KEY_UNSUPPORTED, or a code of passwords
 * @throws EncodingError
 */
export function openEncryptedDer(
  der: Uint8Array,
  name: string,
  keyPassword: PasswordProvider | undefined,
): Promise<Signer> {
  return unlock(`private key ${name}`, keyPassword, async (password) =>
    openDecrypted(await decryptPrivateKeyInfo(der, password), name),
  );
}

/** The same for a PEM block that is itself encrypted, as OpenSSL wrote them before PKCS#8. */
export function openEncryptedPem(
  block: PemBlock,
  name: string,
  keyPassword: PasswordProvider | undefined,
  curve: string | undefined,
): Promise<Signer> {
  return unlock(`private key ${name}`, keyPassword, (password) =>
    openDecrypted(decryptPem(block, password), name, curve),
  );
}

/** One wrong password in 256 yields bytes with a good padding: they are no key. */
async function openDecrypted(
  der: Uint8Array | undefined,
  name: string,
  curve?: string,
): Promise<Signer | undefined> {
  try {
    return der && (await openPlain(der, name, curve));
  } catch (error) {
    if (error instanceof EncodingError) return undefined;
    throw error;
  } finally {
    der?.fill(0);
  }
}
