// Bun as npm's registry has it, by the lock file beside this: one package for each target, without install scripts.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const { packages } = JSON.parse(await readFile(path.join(import.meta.dirname, 'package-lock.json'), 'utf8'));
const cache = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'rolesanywhere-build');

/** Every target that there is a Bun for, as we call it (`linux-arm64-musl`), with the package's name. */
export const targets = new Map(
  Object.keys(packages)
    .filter((folder) => folder !== '')
    .map((folder) => {
      const name = folder.slice('node_modules/'.length);
      return [name.slice('@oven/bun-'.length).replace('aarch64', 'arm64'), name];
    }),
);

/** The target of the machine that this runs on. */
export function hostTarget() {
  const musl =
    process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime === undefined;
  return `${process.platform.replace('win32', 'windows')}-${process.arch}${musl ? '-musl' : ''}`;
}

export function isWindows(target) {
  return target.startsWith('windows-');
}

/**
 * The runtime for a target: fetched once, and taken only if it is what the lock file names.
 *
 * @returns its path and the package it comes from
 */
export async function fetchBun(target) {
  const name = targets.get(target);
  if (name === undefined) throw new Error(`no target ${target}: there are ${[...targets.keys()].join(', ')}`);
  const { version, integrity, license } = packages[`node_modules/${name}`];
  const folder = path.join(cache, `bun-${version}-${target}`);
  const bun = {
    name,
    version,
    integrity,
    license,
    path: path.join(folder, 'bin', isWindows(target) ? 'bun.exe' : 'bun'),
  };
  if (existsSync(bun.path)) return bun;
  await mkdir(cache, { recursive: true });
  const staging = await mkdtemp(path.join(cache, 'fetching-'));
  try {
    const words = [
      'pack',
      `${name}@${version}`,
      '--silent',
      '--ignore-scripts',
      '--pack-destination',
      staging,
    ];
    const { stdout } = await run('npm', words, { cwd: staging });
    const tarball = path.join(staging, stdout.trim());
    const digest = `sha512-${createHash('sha512')
      .update(await readFile(tarball))
      .digest('base64')}`;
    if (digest !== integrity) throw new Error(`${name} ${version} is not what package-lock.json names`);
    await run('tar', ['-xzf', tarball], { cwd: staging });
    await rename(path.join(staging, 'package'), folder);
  } catch (error) {
    // Another build may have been first; otherwise it is a failure.
    if (!existsSync(bun.path)) throw error;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return bun;
}
