// `npm run build:exe`: the command as a standalone executable, by Bun's compiler (docs/executable.md).
//
//   npm run build:exe [-- TARGET… | all] [--output DIRECTORY]
//   npm run build:exe -- --record-order [FILE]   writes scripts/bun/bytecode.order anew
//
//   dist/rolesanywhere-TARGET            the executable; with .exe for Windows
//   dist/rolesanywhere-TARGET.cdx.json   what is in it: a CycloneDX bill of materials
//   dist/rolesanywhere-LICENSES.txt      the licences of what is in them
//   dist/SHA256SUMS                      for sha256sum --check
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { build } from 'esbuild';
import { withoutSignature } from './bun/mach-o.mjs';
import { orderFile, recordOrder } from './bun/order.mjs';
import { fetchBun, hostTarget, isWindows, targets } from './bun/runtime.mjs';
import { seal } from './bun/seal.mjs';
import { main, shared, table, withoutWords } from './hot-path.mjs';
import { describePackages, licenceTexts, packageFolder } from './licences.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const runtimeFolder = path.join(root, 'src', 'runtime');
const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

/** What differs on Bun stands in src/runtime/bun/, under the name of the module that it takes the place of. */
const bunRuntime = {
  name: 'bun-runtime',
  setup(build) {
    build.onResolve({ filter: /^\..*\.ts$/ }, ({ path: file, resolveDir }) => {
      if (resolveDir.startsWith(path.join(runtimeFolder, 'bun'))) return undefined;
      const { dir, base } = path.parse(path.resolve(resolveDir, file));
      const other = path.join(dir, 'bun', base);
      return dir === runtimeFolder && existsSync(other) ? { path: other } : undefined;
    });
  },
};

/** What every run loads gets the table of options without the words for people; whoever else imports it, with them. */
const twoTables = {
  name: 'two-tables',
  setup(build) {
    const hot = [main, ...shared].map((file) => path.join(root, file));
    build.onResolve({ filter: /^\..*\.ts$/ }, ({ path: file, importer, resolveDir, pluginData }) => {
      const found = path.resolve(resolveDir, file);
      if (!table.includes(path.relative(root, found))) return undefined;
      const isHot = pluginData?.isHot === true || hot.includes(importer);
      return isHot ? { path: found, suffix: '?without-words' } : undefined;
    });
    build.onLoad({ filter: /\.ts$/ }, async ({ path: file, suffix }) =>
      suffix === '' ? undefined : { ...(await withoutWords(file)), pluginData: { isHot: true } },
    );
  },
};

/** What every run loads, and a file for each part that is imported only where it is called for. */
async function bundle(target, staging) {
  const { metafile } = await build({
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    splitting: true,
    // A chunk made of CommonJS would have nothing but a default export.
    mainFields: ['module', 'main'],
    target: 'esnext',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    define: {
      ROLESANYWHERE_VERSION: JSON.stringify(version),
      ROLESANYWHERE_TARGET: JSON.stringify(target),
      // There are no files beside it to be found by this.
      'import.meta.url': JSON.stringify('file:///rolesanywhere.js'),
    },
    external: ['./pkcs11.node', 'bun:ffi'],
    entryPoints: { rolesanywhere: 'src/cli/standalone.ts' },
    outdir: staging,
    plugins: [bunRuntime, twoTables],
  });
  return new Set(Object.keys(metafile.inputs).map(packageFolder).filter(Boolean));
}

/** The addon of PKCS#11 is compiled for this machine alone; the others say so when they are asked for a token. */
const hasAddon = (target) => target.replace('-baseline', '') === hostTarget();

async function provideAddon(target, staging) {
  const addon = path.join(staging, 'pkcs11.node');
  if (!hasAddon(target)) return writeFile(addon, '');
  await copyFile(path.join(root, 'node_modules', 'pkcs11js', 'build', 'Release', 'pkcs11.node'), addon);
}

/** Makes the executable of a target in a folder: where it is, with the runtime and the folders of packages in it. */
async function assemble(target, staging, { isSealed }) {
  const folders = await bundle(target, staging);
  await provideAddon(target, staging);
  const compiler = await fetchBun(hostTarget());
  const runtime = await fetchBun(target);
  const sealed = path.join(staging, 'bun');
  const original = await readFile(runtime.path);
  const bytes = target.startsWith('darwin-x64') ? withoutSignature(original) : original;
  if (isSealed) seal(bytes);
  await writeFile(sealed, bytes);
  const output = `rolesanywhere${isWindows(target) ? '.exe' : ''}`;
  const platform = target.replace('arm64', 'aarch64');
  const words = [
    ...[
      'build',
      '--compile',
      '--bytecode',
      '--minify',
      '--splitting',
      '--format=esm',
      `--target=bun-${platform}`,
    ],
    // Interprets a hundred times longer before it compiles: see src/cli/standalone.ts.
    '--compile-jit-policy=100',
    `--bytecode-order=${orderFile}`,
    // Nothing of the directory that it happens to run in.
    ...['dotenv', 'bunfig', 'tsconfig', 'package-json'].map((file) => `--no-compile-autoload-${file}`),
    // The name goes into the bytes, so it is always the same.
    ...[`--compile-executable-path=${sealed}`, 'rolesanywhere.js', `--outfile=${output}`],
  ];
  await promisify(execFile)(compiler.path, words, { cwd: staging, env: { PATH: process.env.PATH } });
  await chmod(path.join(staging, output), 0o755);
  return { folders, runtime, file: path.join(staging, output) };
}

/** CycloneDX 1.6 (ECMA-424), without a time or a serial number: the same build, the same bytes. */
function billOfMaterials(target, digest, runtime, packages) {
  const purl = (name, version) => `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const component = ({ name, version, license }) => ({
    type: 'library',
    'bom-ref': purl(name, version),
    name,
    version,
    purl: purl(name, version),
    licenses: [{ expression: license }],
  });
  const hash = Buffer.from(runtime.integrity.slice('sha512-'.length), 'base64').toString('hex');
  const all = [
    { ...component(runtime), type: 'platform', hashes: [{ alg: 'SHA-512', content: hash }] },
    ...packages.map(component),
  ];
  const self = {
    ...component({ name: 'rolesanywhere', version, license: 'Apache-2.0' }),
    type: 'application',
  };
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        ...self,
        properties: [{ name: 'rolesanywhere:target', value: target }],
        hashes: [{ alg: 'SHA-256', content: digest }],
      },
    },
    components: all,
    dependencies: [{ ref: self['bom-ref'], dependsOn: all.map((one) => one['bom-ref']) }],
  };
}

async function inStaging(action) {
  await mkdir(path.join(root, '.cache'), { recursive: true });
  const staging = await mkdtemp(path.join(root, '.cache', 'executable-'));
  try {
    return await action(staging);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function buildExecutable(target, directory) {
  return inStaging(async (staging) => {
    const { folders, runtime, file } = await assemble(target, staging, { isSealed: true });
    const packages = await describePackages([...folders, 'node_modules/pkcs11js']);
    const name = `rolesanywhere-${target}`;
    const digest = sha256(await readFile(file));
    const inside = packages.filter((one) => one.name !== 'pkcs11js' || hasAddon(target));
    const bill = billOfMaterials(target, digest, runtime, inside);
    const notice = await readFile(path.join(import.meta.dirname, 'bun', 'NOTICE.md'), 'utf8');
    const texts = [{ ...runtime, name: 'Bun', text: notice.trim() }, ...packages];
    await writeFile(path.join(directory, `${name}.cdx.json`), `${JSON.stringify(bill, null, 2)}\n`);
    await writeFile(path.join(directory, 'rolesanywhere-LICENSES.txt'), licenceTexts(texts));
    // Whole or not at all, on whatever file system: one that runs meanwhile keeps its own.
    const fresh = path.join(directory, `.${name}`);
    await copyFile(file, fresh);
    await rename(fresh, path.join(directory, `${name}${isWindows(target) ? '.exe' : ''}`));
    return name;
  });
}

/** By one that asks the environment where to write it. */
function recordOrderHere() {
  return inStaging(async (staging) => {
    const { file } = await assemble(hostTarget(), staging, { isSealed: false });
    return recordOrder(file);
  });
}

async function writeSums(directory) {
  const names = (await readdir(directory)).filter((name) => /^rolesanywhere-.*$/.test(name)).sort();
  const lines = await Promise.all(
    names.map(async (name) => `${sha256(await readFile(path.join(directory, name)))}  ${name}\n`),
  );
  await writeFile(path.join(directory, 'SHA256SUMS'), lines.join(''));
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: 'string', default: path.join(root, 'dist') },
    'record-order': { type: 'boolean', default: false },
  },
});
if (values['record-order']) {
  await writeFile(positionals[0] ?? orderFile, await recordOrderHere());
} else {
  const wanted = positionals.includes('all') ? [...targets.keys()] : positionals;
  await mkdir(values.output, { recursive: true });
  for (const target of wanted.length > 0 ? wanted : [hostTarget()]) {
    console.log(path.join(values.output, await buildExecutable(target, values.output)));
  }
  await writeSums(values.output);
}
