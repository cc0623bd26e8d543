// Where the parts of PKCS#11 that are no part of the bundle lie: the script of the module's process, and its addon.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { target } from './platform.ts';

/** The script to start as the module's process: beside the bundled command, in dist/ for the library and the source. */
export function findHostScript(): string | undefined {
  return ['./', '../../', '../../dist/']
    .map((place) => fileURLToPath(new URL(`${place}pkcs11-host.cjs`, import.meta.url)))
    .find((path) => existsSync(path));
}

const compileIt =
  'compile it: npm install --global --allow-scripts=pkcs11js rolesanywhere, with a C++ compiler, make and Python';

/** What helps where there is no addon, and where it does not load. */
export const addonCures = { missing: compileIt, broken: compileIt };

/**
 * Loads pkcs11js' native part: from the published package, which carries it for the platforms that we build, else as
 * `npm ci` compiled it. Its ABI (Node-API) is the same for every version of Node.js.
 *
 * @returns undefined where there is none for this platform
 * @throws Error when it cannot be loaded
 */
// eslint-disable-next-line @typescript-eslint/require-await -- on the other runtime it has to wait
export async function loadAddon(): Promise<unknown> {
  const require = createRequire(import.meta.url);
  for (const path of [`./native/${target()}/pkcs11.node`, 'pkcs11js/build/Release/pkcs11.node']) {
    let file: string;
    try {
      file = require.resolve(path);
    } catch {
      continue;
    }
    return require(file);
  }
  return undefined;
}
