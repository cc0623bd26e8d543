// Builds the process that loads PKCS#11 modules: pkcs11-host.cjs, and beside it the native addon for this platform.
//
//   node scripts/pkcs11-host.mjs DIRECTORY
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const pkcs11js = path.join(root, 'node_modules', 'pkcs11js');

/** For esbuild: an ES module's `import.meta.url` does not exist in CommonJS. */
export const moduleUrl = {
  define: { 'import.meta.url': 'moduleUrl' },
  banner: { js: 'const moduleUrl=require("node:url").pathToFileURL(__filename).href;' },
};

export async function buildPkcs11Host(directory) {
  await build({
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    entryPoints: ['src/key/pkcs11/host.ts'],
    outfile: path.join(directory, 'pkcs11-host.cjs'),
    ...moduleUrl,
  });
  await copyAddon(directory);
}

/** Node-API keeps the addon's ABI the same for every version of Node.js: one a platform and C library is enough. */
async function copyAddon(directory) {
  const glibc = process.report.getReport().header.glibcVersionRuntime !== undefined;
  const target = `${process.platform}-${process.arch}${process.platform === 'linux' && !glibc ? '-musl' : ''}`;
  const folder = path.join(directory, 'native', target);
  await mkdir(folder, { recursive: true });
  try {
    await copyFile(path.join(pkcs11js, 'build', 'Release', 'pkcs11.node'), path.join(folder, 'pkcs11.node'));
    await copyFile(path.join(pkcs11js, 'LICENSE'), path.join(folder, 'LICENSE-pkcs11js.txt'));
  } catch (error) {
    // An optional dependency: whoever cannot compile it gets everything else.
    if (error.code !== 'ENOENT') throw error;
    console.error('PKCS#11 is left out: pkcs11js is not compiled (npm rebuild pkcs11js)');
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildPkcs11Host(path.resolve(process.argv[2]));
}
