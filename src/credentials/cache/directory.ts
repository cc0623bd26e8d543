import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { env } from '../../runtime/env.ts';
import { userId } from '../../runtime/platform.ts';
import { fingerprint, isFresh, parseEntry } from './entry.ts';
import type { Entry } from './entry.ts';

/** No entry comes near. */
const maximumSize = 256 * 1024;

/**
 * `$ROLESANYWHERE_CACHE_DIR`, else `rolesanywhere` in `$XDG_CACHE_HOME` or `~/.cache`; undefined without a home. A
 * relative XDG_CACHE_HOME counts as none (XDG Base Directory Specification).
 */
export function cacheDirectory(): string | undefined {
  const own = env('ROLESANYWHERE_CACHE_DIR');
  if (own !== undefined) return own;
  const xdg = env('XDG_CACHE_HOME');
  if (xdg !== undefined && isAbsolute(xdg)) return `${xdg}/rolesanywhere`;
  const home = env('HOME') ?? env('USERPROFILE');
  return home === undefined ? undefined : `${home}/.cache/rolesanywhere`;
}

/** As path.isAbsolute says, of this system's paths and of Windows's drives; node:path is loaded either way. */
function isAbsolute(path: string): boolean {
  return /^(?:[/\\]|[a-z]:[/\\])/i.test(path);
}

/**
 * The entry of this shape, if it is one that nobody has to think about. Whatever is not in order is as none here; the
 * store (store.ts) then finds the words for it.
 */
export function freshEntry(directory: string, shape: string, now: Date): Entry | undefined {
  try {
    if (mistrust(lstatSync(directory), 'directory') !== undefined) return undefined;
    const entry = readEntry(directory, shape);
    return entry && isFresh(entry, now) ? entry : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The entry of this shape, whatever its age.
 *
 * @throws the system's errors but ENOENT; Mistrusted
 */
export function readEntry(directory: string, shape: string): Entry | undefined {
  const text = readTrusted(entryFile(directory, shape));
  return text === undefined ? undefined : parseEntry(text, shape);
}

export function entryFile(directory: string, shape: string): string {
  return `${directory}/${fingerprint(shape)}.json`;
}

/** Why a directory or file of the cache is not used. */
export class Mistrusted extends Error {}

/**
 * The text of a file of ours, undefined when there is none.
 *
 * @throws the system's errors; Mistrusted
 */
export function readTrusted(file: string): string | undefined {
  let descriptor: number;
  try {
    // 0 on Windows, which has no such flags. O_NONBLOCK: a pipe in its place must not make us wait.
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW | 0) | (constants.O_NONBLOCK | 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP' || code === 'EMLINK') throw new Mistrusted('it is a symbolic link');
    throw error;
  }
  try {
    const status = fstatSync(descriptor);
    const problem = mistrust(status, 'file');
    if (problem !== undefined) throw new Mistrusted(problem);
    return status.size > maximumSize ? '' : readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Why what another user could have put there, or could read, is not used; undefined of what is in order. Windows says
 * neither owner nor mode; there the directory is as private as the home that it lies in.
 */
export function mistrust(status: Stats, kind: 'directory' | 'file'): string | undefined {
  if (status.isSymbolicLink()) return 'it is a symbolic link';
  if (!(kind === 'directory' ? status.isDirectory() : status.isFile())) return `it is no ${kind}`;
  const user = userId();
  if (user === undefined) return undefined;
  if (status.uid !== user) return 'it belongs to another user';
  return (status.mode & 0o077) === 0 ? undefined : 'other users have access to it';
}
