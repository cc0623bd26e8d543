// `npm run build:npm`: what is published on npm (docs/installing.md), made of the built command and of the executables
// that stand in dist/.
//
//   npm run build:npm [-- TARGET…]
//
//   dist/npm/rolesanywhere-VERSION.tgz          the command and the library, as `npm pack` makes it; its commands start
//                                               the executable, where npm installs one for the platform
//   dist/npm/rolesanywhere-TARGET-VERSION.tgz   that executable: @rolesanywhere/TARGET, for one platform alone
//
// The platforms become optional dependencies here and not in package.json: `npm ci` would have to find them.
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hostTarget } from './bun/runtime.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');
const output = path.join(dist, 'npm');
const parts = path.join(import.meta.dirname, 'npm');
const { version, license } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

const writeManifest = (folder, manifest) =>
  writeFile(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

/** Without scripts: what is packed is built. */
async function pack(folder, destination) {
  const words = ['pack', folder, '--silent', '--ignore-scripts', '--pack-destination', destination];
  const { stdout } = await run('npm', words, { cwd: folder });
  return path.join(destination, stdout.trim());
}

/** What npm compares with the machine: it knows no processor generations, and Windows runs no shell script. */
function platform(target) {
  const [, os, cpu, musl] = /^(linux|darwin)-(x64|arm64)(-musl)?$/.exec(target) ?? [];
  if (os === undefined) throw new Error(`npm has no way to choose ${target}`);
  return { os: [os], cpu: [cpu], ...(os === 'linux' && { libc: [musl === undefined ? 'glibc' : 'musl'] }) };
}

async function packPlatform(target, fits, staging) {
  const folder = path.join(staging, target);
  await mkdir(folder);
  const name = `rolesanywhere-${target}`;
  const files = {
    [path.join(dist, name)]: 'rolesanywhere',
    [path.join(dist, `${name}.cdx.json`)]: 'rolesanywhere.cdx.json',
    [path.join(dist, 'rolesanywhere-LICENSES.txt')]: 'LICENSES.txt',
    [path.join(root, 'LICENSE')]: 'LICENSE',
    [path.join(parts, 'README.md')]: 'README.md',
  };
  for (const [from, to] of Object.entries(files)) await copyFile(from, path.join(folder, to));
  await writeManifest(folder, {
    name: `@rolesanywhere/${target}`,
    version,
    description: `The standalone executable of rolesanywhere for ${target}`,
    license,
    ...fits,
  });
  return pack(folder, output);
}

async function packCommand(targets, staging) {
  await run('tar', ['-xzf', await pack(root, staging)], { cwd: staging });
  const folder = path.join(staging, 'package');
  const manifest = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const launcher = 'bin/launcher.sh';
  await copyFile(path.join(parts, 'launcher.sh'), path.join(folder, launcher));
  await writeManifest(folder, {
    ...manifest,
    // What they run is not in it, and npm would name them as what wants to run.
    scripts: undefined,
    bin: {
      ...Object.fromEntries(Object.keys(manifest.bin).map((name) => [name, launcher])),
      'rolesanywhere-node': manifest.bin.rolesanywhere,
    },
    optionalDependencies: {
      ...manifest.optionalDependencies,
      ...Object.fromEntries(targets.map((target) => [`@rolesanywhere/${target}`, version])),
    },
  });
  return pack(folder, output);
}

const wanted = process.argv.slice(2);
const targets = new Map(
  (wanted.length > 0 ? wanted : [hostTarget()]).map((target) => [target, platform(target)]),
);
await rm(output, { recursive: true, force: true });
await mkdir(output, { recursive: true });
await mkdir(path.join(root, '.cache'), { recursive: true });
const staging = await mkdtemp(path.join(root, '.cache', 'npm-'));
try {
  for (const [target, fits] of targets) console.log(await packPlatform(target, fits, staging));
  console.log(await packCommand([...targets.keys()], staging));
} finally {
  await rm(staging, { recursive: true, force: true });
}
