import type { Signer } from '../signer.ts';
import { KeyObjectSigner } from './key-object-signer.ts';
import { decodePrivateKey } from './private-key.ts';

/**
 * Opens a private key that is not encrypted.
 *
 * @param der PKCS#1, SEC1 or PKCS#8
 * @param name as error messages shall call it
 * @param curve the object identifier from an EC PARAMETERS block
 * @throws RolesAnywhereError KEY_UNSUPPORTED or KEY_INVALID
 * @throws EncodingError
 */
export async function openPlain(der: Uint8Array, name: string, curve?: string): Promise<Signer> {
  const key = decodePrivateKey(der, name, curve);
  if (key.keyType === 'rsa' || key.keyType === 'ec') return new KeyObjectSigner(key);
  const { openMlDsa } = await import('./ml-dsa-signer.ts');
  return openMlDsa(key);
}
