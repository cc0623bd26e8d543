import { randomBytes } from 'node:crypto';
import { lstat, open, readdir, readlink, rename, stat, unlink } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { RolesAnywhereError } from '../errors.ts';
import { errnoOf, reasonOf } from '../runtime/errno.ts';
import { acquireLock } from '../runtime/lock.ts';
import type { Lock } from '../runtime/lock.ts';
import { makeDirectory } from '../runtime/make-directory.ts';
import { deferTermination } from '../runtime/termination.ts';

type Change = (contents: Uint8Array) => Uint8Array;

/** Milliseconds that others who edit the same file may take. */
const patience = 30_000;
/** So often may somebody who knows nothing of our lock, such as an editor, come between. */
const attempts = 20;
/** The names of what stands beside the file meanwhile begin with the file's own and this. */
const mark = '.rolesanywhere-';

/**
 * Changes a file that other programs use too: whole or not at all, whatever happens meanwhile, and in its turn.
 *
 * It is written anew beside the old one, which it then replaces, with the same owner, and the same mode as far as that
 * lets the owner alone in. A link stays, and what it leads to is replaced. A missing file is made, with its folder.
 *
 * @param change is called again, with the newer contents, when somebody changed the file meanwhile
 * @param signal ends the wait for others
 * @throws RolesAnywhereError FILE_UNREADABLE or FILE_UNWRITABLE, and what `change` throws; the file is then as it was
 */
export async function editFile(path: string, change: Change, signal?: AbortSignal): Promise<void> {
  // A signal shall leave neither the lock nor half a file behind.
  const interrupted = new AbortController();
  const release = deferTermination(() => {
    interrupted.abort();
  });
  try {
    const target = await behindLinks(path);
    const stop = AbortSignal.any([interrupted.signal, ...(signal ? [signal] : [])]);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const lock = await takeLock(target, stop);
      try {
        await removeLeftovers(target);
        if (await tryEdit(target, change, lock)) return;
      } finally {
        lock.release();
      }
    }
    throw unwritable(target, 'other programs keep changing it');
  } finally {
    release();
  }
}

/** The file that a path leads to, which need not be there. */
async function behindLinks(path: string): Promise<string> {
  let target = resolve(path);
  // As many as Linux follows: path_resolution(7).
  for (let links = 0; links < 40; links++) {
    const status = await lstat(target).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw unreadable(path, error);
    });
    if (status === undefined || status.isFile()) return target;
    if (!status.isSymbolicLink()) {
      // To put a file in the place of a device would be worse than any error.
      throw unwritable(path, status.isDirectory() ? 'it is a directory' : 'it is no file');
    }
    target = resolve(dirname(target), await readlink(target));
  }
  throw unwritable(path, 'its symbolic links go in a circle');
}

async function takeLock(target: string, signal: AbortSignal): Promise<Lock> {
  const path = `${target}${mark}lock`;
  let lock: Lock | undefined;
  try {
    makeDirectory(dirname(target));
    lock = await acquireLock(path, { patience, signal });
  } catch (error) {
    throw unwritable(target, reasonOf(error), error);
  }
  if (lock !== undefined) return lock;
  throw unwritable(target, signal.aborted ? 'interrupted' : `another process does not let go of ${path}-*`);
}

/** What killed processes left behind; and what one is at that lost its lock, which then fails. */
async function removeLeftovers(target: string): Promise<void> {
  const folder = dirname(target);
  const prefix = basename(target) + mark;
  const names = await readdir(folder).catch(() => []);
  const leftovers = names.filter((name) => name.startsWith(prefix) && !name.startsWith(`${prefix}lock-`));
  await Promise.all(leftovers.map((name) => unlink(join(folder, name)).catch(() => undefined)));
}

/** @returns false when somebody else came between */
async function tryEdit(target: string, change: Change, lock: Lock): Promise<boolean> {
  const old = await read(target);
  const contents = change(old?.contents ?? new Uint8Array());
  const beside = `${target}${mark}${randomBytes(6).toString('hex')}`;
  try {
    await writeBeside(beside, contents, old?.status, target);
    if (!lock.isHeld() || !isSame(old?.status, await statusOf(target))) return false;
    await rename(beside, target);
  } catch (error) {
    if (error instanceof RolesAnywhereError) throw error;
    if (errnoOf(error) === 'ENOENT' && !lock.isHeld()) return false;
    throw unwritable(target, reasonOf(error), error);
  } finally {
    await unlink(beside).catch(() => undefined);
  }
  await syncFolder(dirname(target));
  return true;
}

async function read(target: string): Promise<{ contents: Uint8Array; status: BigIntStats } | undefined> {
  try {
    const file = await open(target, 'r');
    try {
      const status = await file.stat({ bigint: true });
      return { contents: await file.readFile(), status };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw unreadable(target, error);
  }
}

async function writeBeside(
  beside: string,
  contents: Uint8Array,
  old: BigIntStats | undefined,
  target: string,
): Promise<void> {
  const file = await open(beside, 'wx', 0o600);
  try {
    if (old !== undefined) {
      const own = await file.stat({ bigint: true });
      if (own.uid !== old.uid || own.gid !== old.gid) {
        await file.chown(Number(old.uid), Number(old.gid)).catch(() => {
          // Another group alone does no harm: it may not read the file.
          if (own.uid === old.uid) return;
          throw new RolesAnywhereError('FILE_UNWRITABLE', `${target} belongs to another user`, {
            hint: 'run this as that user, or as root',
          });
        });
      }
      await file.chmod(Number(old.mode) & 0o600);
    }
    await file.writeFile(contents);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** So that the new file is also found after a power cut; the old one would be, whole, without it. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    await folder.sync().finally(() => folder.close());
  } catch {
    // Windows, for one, cannot.
  }
}

async function statusOf(path: string): Promise<BigIntStats | undefined> {
  return stat(path, { bigint: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}

function isSame(one: BigIntStats | undefined, other: BigIntStats | undefined): boolean {
  return one?.ino === other?.ino && one?.mtimeNs === other?.mtimeNs && one?.size === other?.size;
}

function unreadable(path: string, cause: unknown): RolesAnywhereError {
  return new RolesAnywhereError('FILE_UNREADABLE', `cannot read ${path}: ${reasonOf(cause)}`, { cause });
}

function unwritable(path: string, reason: string, cause?: unknown): RolesAnywhereError {
  const hint = cures[errnoOf(cause) ?? ''];
  return new RolesAnywhereError('FILE_UNWRITABLE', `cannot write ${path}: ${reason}`, {
    cause,
    ...(hint !== undefined && { hint }),
  });
}

const folderToo = 'the file is replaced by a new one: its folder must be writable too';
const cures: Readonly<Record<string, string>> = {
  EACCES: folderToo,
  EPERM: 'the file is replaced by a new one: neither it nor its folder may be immutable (lsattr tells)',
  EROFS: folderToo,
  EBUSY: 'the file is replaced by a new one: mount its folder, not the file alone',
};
