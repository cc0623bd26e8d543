// Builds what is published: dist/lib (the library, ESM with types, one file a module) and dist/rolesanywhere.cjs
// (the command, one CommonJS file, because that starts fastest on every Node we support).
//
// Third-party code stays out of the command's file: each package below becomes a chunk of its own in dist/vendor/
// that is read and compiled only when the code reaches its `import()`. It holds no code of ours, so that our one
// error class exists exactly once. PKCS#11 modules are loaded by dist/pkcs11-host.cjs, a process of its own.
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { buildPkcs11Host } from './pkcs11-host.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// Made aside and moved into place whole: a command that runs meanwhile finds the old one or the new one.
const staging = path.join(root, '.cache', `build-${process.pid}`);
const { version, dependencies } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

/** `@peculiar/x509` becomes `peculiar-x509`. */
const chunkName = (packageName) => packageName.replace('@', '').replace('/', '-');

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  charset: 'utf8',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
};

/** An ES module's `import.meta.url` does not exist in CommonJS. */
const moduleUrl = 'const moduleUrl=require("node:url").pathToFileURL(__filename).href;';

/** Sends each import of a dependency to its chunk. */
const vendorChunks = {
  name: 'vendor-chunks',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path: specifier, kind }) => {
      if (kind === 'entry-point' || !Object.hasOwn(dependencies, specifier)) return undefined;
      return { path: `./vendor/${chunkName(specifier)}.cjs`, external: true };
    });
  },
};

async function buildCommand() {
  await build({
    ...common,
    entryPoints: ['src/cli/main.ts'],
    outfile: path.join(staging, 'rolesanywhere.cjs'),
    define: { ROLESANYWHERE_VERSION: JSON.stringify(version), 'import.meta.url': 'moduleUrl' },
    banner: { js: moduleUrl },
    plugins: [vendorChunks],
  });
}

async function buildVendor() {
  const packages = new Set();
  await Promise.all(
    Object.keys(dependencies).map(async (name) => {
      const { metafile } = await build({
        ...common,
        entryPoints: [name],
        outfile: path.join(staging, 'vendor', `${chunkName(name)}.cjs`),
        minifyIdentifiers: true,
        metafile: true,
        define: { 'import.meta.url': 'moduleUrl' },
        banner: { js: moduleUrl },
        // As Node itself does it: a module that exports 'module.exports' is that value when required.
        footer: {
          js: 'if("module.exports" in module.exports)module.exports=module.exports["module.exports"];',
        },
      });
      for (const input of Object.keys(metafile.inputs)) packages.add(packageFolder(input));
    }),
  );
  await writeFile(path.join(staging, 'vendor', 'LICENSES.txt'), await licences([...packages].sort()));
}

/** `node_modules/@a/b/node_modules/c/lib/x.js` lies in `node_modules/@a/b/node_modules/c`. */
function packageFolder(file) {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)[0];
}

/** The chunks carry other people's code, whose licences ask to travel with it. */
async function licences(folders) {
  const texts = await Promise.all(
    folders.map(async (folder) => {
      const directory = path.join(root, folder);
      const { name, version, license } = JSON.parse(
        await readFile(path.join(directory, 'package.json'), 'utf8'),
      );
      const file = (await readdir(directory)).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file === undefined ? '' : (await readFile(path.join(directory, file), 'utf8')).trim();
      return `${name} ${version} (${license})\n\n${text}\n`;
    }),
  );
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function buildLibrary() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const outDir = path.join(staging, 'lib');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir];
  await promisify(execFile)(process.execPath, args, { cwd: root }).catch(({ stdout, stderr }) => {
    throw new Error(`tsc failed\n${stdout}${stderr}`);
  });
  const versionModule = path.join(outDir, 'runtime', 'version.js');
  const source = await readFile(versionModule, 'utf8');
  await writeFile(versionModule, `const ROLESANYWHERE_VERSION = ${JSON.stringify(version)};\n${source}`);
}

await mkdir(path.join(staging, 'vendor'), { recursive: true });
const outcomes = await Promise.allSettled([
  buildCommand(),
  buildVendor(),
  buildLibrary(),
  buildPkcs11Host(staging),
]);
for (const { reason } of outcomes.filter(({ status }) => status === 'rejected')) {
  console.error(reason instanceof Error ? reason.message : reason);
  process.exitCode = 1;
}
await rm(path.join(root, 'dist'), { recursive: true, force: true });
await rename(staging, path.join(root, 'dist'));
