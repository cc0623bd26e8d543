import { createRequire } from 'node:module';
import { RolesAnywhereError } from '../../errors.ts';
import { arch, platform, usesMusl } from '../../runtime/platform.ts';
import type { Cryptoki } from './cryptoki.ts';

interface Addon {
  readonly PKCS11: new () => Cryptoki;
}

/**
 * pkcs11js' native part: from the published package, which carries it for the platforms that we build, else as
 * `npm ci` compiled it. Its ABI (Node-API) is the same for every version of Node.js.
 *
 * @throws RolesAnywhereError PKCS11_UNAVAILABLE
 */
export function openAddon(): Cryptoki {
  const require = createRequire(import.meta.url);
  const target = `${platform}-${arch}${usesMusl() ? '-musl' : ''}`;
  for (const path of [`./native/${target}/pkcs11.node`, 'pkcs11js/build/Release/pkcs11.node']) {
    let file: string;
    try {
      file = require.resolve(path);
    } catch {
      continue;
    }
    try {
      return new (require(file) as Addon).PKCS11();
    } catch (error) {
      throw unavailable(`cannot load the PKCS#11 addon ${file}`, error);
    }
  }
  throw unavailable(`this package has no PKCS#11 addon for ${target}`, undefined);
}

function unavailable(message: string, cause: unknown): RolesAnywhereError {
  return new RolesAnywhereError('PKCS11_UNAVAILABLE', message, {
    hint: 'compile it: npm install --global --allow-scripts=pkcs11js rolesanywhere, with a C++ compiler, make and Python',
    cause,
  });
}
