import { EncodingError } from '../../encoding/encoding-error.ts';
import type { PemBlock } from '../../encoding/pem.ts';
import { decryptPrivateKeyInfo } from '../../encoding/pkcs8.ts';
import { decryptPem } from '../../encoding/traditional-pem.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { PasswordProvider } from '../password.ts';
import type { Signer } from '../signer.ts';
import { unlock } from '../unlock.ts';
import { openPlain } from './plain.ts';

/**
 * Opens an encrypted PKCS#8 key, DER.
 *
 * @throws RolesAnywhereError KEY_INVALID, KEY_UNSUPPORTED, or a code of passwords
 */
export function openEncryptedDer(
  der: Uint8Array,
  name: string,
  keyPassword: PasswordProvider | undefined,
): Promise<Signer> {
  return open(name, keyPassword, async (password) =>
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
  return open(name, keyPassword, async (password) => openDecrypted(decryptPem(block, password), name, curve));
}

async function open(
  name: string,
  keyPassword: PasswordProvider | undefined,
  opener: (password: Uint8Array) => Promise<Signer | undefined>,
): Promise<Signer> {
  try {
    return await unlock(`private key ${name}`, keyPassword, opener);
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    throw new RolesAnywhereError('KEY_INVALID', `cannot parse private key ${name}: ${error.message}`);
  }
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
