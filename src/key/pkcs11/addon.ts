import { RolesAnywhereError } from '../../errors.ts';
import { addonCures, loadAddon } from '../../runtime/pkcs11-parts.ts';
import { target } from '../../runtime/platform.ts';
import type { Cryptoki } from './cryptoki.ts';

interface Addon {
  readonly PKCS11: new () => Cryptoki;
}

/**
 * pkcs11js' native part.
 *
 * @throws RolesAnywhereError PKCS11_UNAVAILABLE
 */
export async function openAddon(): Promise<Cryptoki> {
  let addon: Addon | undefined;
  try {
    addon = (await loadAddon()) as Addon | undefined;
    if (addon !== undefined) return new addon.PKCS11();
  } catch (cause) {
    throw unavailable('cannot load the PKCS#11 addon', addonCures.broken, cause);
  }
  throw unavailable(`this build has no PKCS#11 addon for ${target()}`, addonCures.missing);
}

function unavailable(message: string, hint: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('PKCS11_UNAVAILABLE', message, {
    hint,
    cause,
  });
}
