// Builds what is published: dist/lib (the library, ESM with types, one file a module) and the command: CommonJS,
// because that starts fastest on every Node we support, in as few and as small files as one run needs. A file costs
// about a millisecond and so do 40 kB of source, whether they are called or not.
//
//   dist/rolesanywhere.cjs   what every run needs, `version` and a session out of the cache included
//   dist/options.cjs         the table of options once more, with the words for people that the first leaves out
//   dist/NAME.cjs            what main.ts imports only where it is called for, one file each
//   dist/NAME.cjs            and what the commands import so: keys of other kinds than plain files, `backends` below
//   dist/pkcs11.cjs          of these, keys on tokens, which starts
//   dist/pkcs11-host.cjs     the process that loads PKCS#11 modules, with its addon in dist/native (pkcs11-host.mjs)
//   dist/code-cache/         what V8 makes of the files that open a session (bin/code-cache.js)
//   dist/vendor/NAME.cjs     a dependency: third-party code alone, so that our one error class exists exactly once
import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { main, options, shared, table, withoutWords } from './hot-path.mjs';
import { describePackages, licenceTexts, packageFolder } from './licences.mjs';
import { buildPkcs11Host, moduleUrl } from './pkcs11-host.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// Made aside and moved into place whole: a command that runs meanwhile finds the old one or the new one.
const staging = path.join(root, '.cache', `build-${process.pid}`);
const { version, dependencies, optionalDependencies } = JSON.parse(
  await readFile(path.join(root, 'package.json'), 'utf8'),
);

/** `@peculiar/x509` becomes `peculiar-x509`. */
const chunkName = (packageName) => packageName.replace('@', '').replace('/', '-');

/** What we import of a package, where that is not its root. */
const vendorEntry = (packageName) =>
  ({ '@noble/post-quantum': '@noble/post-quantum/ml-dsa.js' })[packageName] ?? packageName;

const common = {
  bundle: true,
  absWorkingDir: root,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  minifyWhitespace: true,
  minifySyntax: true,
  // No name is read at run time: every error class says its own.
  minifyIdentifiers: true,
  legalComments: 'none',
  logLevel: 'warning',
  // import() becomes require(): Node's loader of ES modules is slow to start.
  supported: { 'dynamic-import': false },
};

/** What a command imports only where it is called for, and is large enough for a file of its own. */
const backends = {
  'src/certificate/selector.ts': 'selector',
  'src/cli/session-source.ts': 'sessions',
  'src/credentials/cached-session-source.ts': 'cache',
  'src/key/file/encrypted.ts': 'encrypted-key',
  'src/key/file/ml-dsa-signer.ts': 'ml-dsa',
  'src/key/pkcs11/open.ts': 'pkcs11',
  'src/key/pkcs12/file.ts': 'pkcs12',
  'src/key/pkcs12/open.ts': 'pkcs12-key',
  'src/key/tpm/open.ts': 'tpm',
};

/** Sends the imports that leave a file to where they lead: `redirect` says, by the module's path, for our own. */
function imports(redirect) {
  return {
    name: 'imports',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, ({ path: name, kind }) => {
        if (kind === 'entry-point') return undefined;
        // A package with binaries of its own, found where npm put it.
        if (name in optionalDependencies) return { external: true };
        const packageName = Object.keys(dependencies).find((each) => vendorEntry(each) === name);
        return packageName && { path: `./vendor/${chunkName(packageName)}.cjs`, external: true };
      });
      build.onResolve({ filter: /^\..*\.ts$/ }, ({ path: file, kind, resolveDir }) => {
        if (kind === 'entry-point') return undefined;
        const name = redirect(path.relative(root, path.resolve(resolveDir, file)), kind);
        return name === undefined ? undefined : { path: `./${name}.cjs`, external: true };
      });
    },
  };
}

const tableWithoutWords = {
  name: 'table-without-words',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path: file }) =>
      table.includes(path.relative(root, file)) ? withoutWords(file) : undefined,
    );
  },
};

async function buildCommand() {
  const define = { ROLESANYWHERE_VERSION: JSON.stringify(version) };
  const later = new Map();
  const { metafile } = await build({
    ...common,
    define,
    metafile: true,
    stdin: {
      contents: [main, ...shared, ...table].map((file) => `export * from './${file}';`).join(''),
      resolveDir: root,
    },
    outfile: path.join(staging, 'rolesanywhere.cjs'),
    plugins: [
      tableWithoutWords,
      imports((file, kind) => {
        if (kind !== 'dynamic-import') return undefined;
        const name = backends[file] ?? path.parse(file).name;
        later.set(file, name);
        return name;
      }),
    ],
  });
  const stowaways = Object.keys(metafile.inputs).filter(
    (file) => ![main, ...shared, ...table, '<stdin>'].includes(file),
  );
  if (stowaways.length > 0)
    throw new Error(`every run would load ${stowaways.join(', ')}: see scripts/hot-path.mjs`);
  for (const [file, name] of Object.entries(backends)) later.set(file, name);
  later.set(options, 'options');
  await Promise.all(
    [...later].map(([entryPoint, name]) =>
      build({
        ...common,
        ...(entryPoint in backends ? moduleUrl : { define }),
        entryPoints: [entryPoint],
        outfile: path.join(staging, `${name}.cjs`),
        plugins: [
          imports((file, kind) => {
            if (shared.includes(file)) return 'rolesanywhere';
            if (file === options) return 'options';
            return kind === 'dynamic-import' ? later.get(file) : undefined;
          }),
        ],
      }),
    ),
  );
}

async function buildVendor() {
  const packages = new Set();
  await Promise.all(
    Object.keys(dependencies).map(async (name) => {
      const { metafile } = await build({
        ...common,
        entryPoints: [vendorEntry(name)],
        outfile: path.join(staging, 'vendor', `${chunkName(name)}.cjs`),
        metafile: true,
        ...moduleUrl,
        // As Node itself does it: a module that exports 'module.exports' is that value when required.
        footer: {
          js: 'if("module.exports" in module.exports)module.exports=module.exports["module.exports"];',
        },
      });
      for (const input of Object.keys(metafile.inputs)) packages.add(packageFolder(input));
    }),
  );
  await writeFile(
    path.join(staging, 'vendor', 'LICENSES.txt'),
    licenceTexts(await describePackages(packages)),
  );
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
try {
  await Promise.all([buildCommand(), buildVendor(), buildLibrary(), buildPkcs11Host(staging)]);
  await rm(path.join(root, 'dist'), { recursive: true, force: true });
  await rename(staging, path.join(root, 'dist'));
  await promisify(execFile)(process.execPath, [path.join(root, 'bin', 'code-cache.js')]);
} catch (error) {
  await rm(staging, { recursive: true, force: true });
  console.error(error.message);
  process.exitCode = 1;
}
