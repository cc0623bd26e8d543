import { RolesAnywhereError } from '../errors.ts';
import type { Reporter } from '../reporter.ts';
import type { KeyReference } from './reference.ts';
import type { Signer } from './signer.ts';
import type { Sources } from './source.ts';

/**
 * Opens the key that a reference names: the one place that knows every backend, each loaded only when it is asked for.
 *
 * @throws RolesAnywhereError KEY_UNREADABLE, KEY_INVALID, KEY_UNSUPPORTED or PASSWORD_REQUIRED
 */
export async function openKey(
  reference: KeyReference,
  sources: Sources,
  reporter: Reporter,
): Promise<Signer> {
  switch (reference.type) {
    case 'pkcs11':
      throw new RolesAnywhereError('KEY_UNSUPPORTED', 'keys on PKCS#11 tokens are not supported yet');
    case 'tpm':
      throw new RolesAnywhereError('KEY_UNSUPPORTED', 'keys in a TPM are not supported yet');
    default: {
      const source = await sources.read(reference, 'private key');
      const { openKeyFile } = await import('./file/open.ts');
      const signer = openKeyFile(source);
      if (source.exposed) {
        reporter.warn(`private key ${source.name} can be read by every user`, `chmod 600 ${source.name}`);
      }
      return signer;
    }
  }
}
