import type { Certificate } from '../certificate/certificate.ts';
import { holdsTpmKey, isPkcs12 } from '../encoding/contents.ts';
import type { Reporter } from '../reporter.ts';
import type { PasswordProvider } from './password.ts';
import type { Pkcs11Options } from './pkcs11/open.ts';
import type { KeyReference } from './reference.ts';
import type { Signer } from './signer.ts';
import type { Sources } from './source.ts';

/** What a backend gets to open a key with. */
export interface KeyOpening {
  readonly sources: Sources;
  readonly reporter: Reporter;
  readonly keyPassword: PasswordProvider | undefined;
  /** The authorisation of what a TPM key was made under. */
  readonly tpmParentPassword: PasswordProvider | undefined;
  /** How long a token or TPM may stay silent. */
  readonly timeoutSeconds: number | undefined;
  /** The PKCS #11 module to load; p11-kit's proxy otherwise. */
  readonly pkcs11Library: string | undefined;
  /** Whether a key that asks for the PIN at each signature gets that of the login. */
  readonly reusePin: boolean | undefined;
  /**
   * The key must belong to one of these, where its source holds several: those that `--certificate` named and
   * `--cert-selector` left. Undefined when the certificate is to come from the key's own source.
   */
  readonly certificates: readonly Certificate[] | undefined;
}

/**
 * Opens the key that a reference names: the one place that knows every backend, each loaded only when it is asked for.
 *
 * @throws RolesAnywhereError KEY_UNREADABLE, KEY_INVALID, KEY_UNSUPPORTED, or a code of passwords or tokens
 */
export async function openKey(reference: KeyReference, opening: KeyOpening): Promise<Signer> {
  switch (reference.type) {
    case 'pkcs11': {
      const { openPkcs11Key } = await import('./pkcs11/open.ts');
      const publicKeys = opening.certificates?.map(({ publicKey }) => publicKey);
      return openPkcs11Key({ ...onToken(opening), privateKey: reference.uri, publicKeys });
    }
    case 'tpm': {
      const { openTpmSigner } = await import('./tpm/open.ts');
      return openTpmSigner({ ...inTpm(opening), key: { handle: reference.handle } });
    }
    default: {
      const { sources, reporter, keyPassword } = opening;
      const source = await sources.read(reference, 'private key');
      // Who can read the file still has to reach the TPM: nothing to warn of.
      if (holdsTpmKey(source.bytes)) {
        const { openTpmSigner } = await import('./tpm/open.ts');
        return openTpmSigner({ ...inTpm(opening), key: source });
      }
      const signer = isPkcs12(source.bytes)
        ? await (
            await import('./pkcs12/open.ts')
          ).openPkcs12Key(source.name, await sources.openPkcs12(source, keyPassword), opening.certificates)
        : await (await import('./file/open.ts')).openKeyFile(source, keyPassword);
      if (source.exposed) {
        reporter.warn(`private key ${source.name} can be read by every user`, `chmod 600 ${source.name}`);
      }
      return signer;
    }
  }
}

function inTpm({ keyPassword, tpmParentPassword, timeoutSeconds, reporter }: KeyOpening) {
  return { password: keyPassword, parentPassword: tpmParentPassword, timeoutSeconds, reporter };
}

/** What opening a key says to a token. */
export function onToken({
  reporter,
  keyPassword,
  timeoutSeconds,
  pkcs11Library,
  reusePin,
}: Omit<KeyOpening, 'sources' | 'certificates'>): Omit<Pkcs11Options, 'certificate' | 'privateKey'> {
  return { library: pkcs11Library, pin: keyPassword, reusePin, callTimeoutSeconds: timeoutSeconds, reporter };
}
