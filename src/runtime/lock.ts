import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  futimesSync,
  linkSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { errnoOf } from './errno.ts';

/** A lock between processes: a file that only one of them can make, and that its owner keeps touching. */
export interface Lock {
  /** Whether it is still ours: another takes it when this process shows no sign of life, as when it is suspended. */
  isHeld(): boolean;
  release(): void;
}

export interface LockOptions {
  /** Milliseconds to wait for another owner that lives. */
  readonly patience: number;
  /** Ends the patience. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** How often the owner touches its lock, and after how much silence it counts as dead, in milliseconds. */
const heartbeat = 500;
const deadAfter = 2500;
/** No wait between two looks counts for more: the machine, or we, may have slept meanwhile, and the owner with us. */
const longestLook = 250;

/**
 * Takes the lock, at once, after its owner released it, or 2.5 s after its owner died.
 *
 * Whoever is alive but was suspended for longer loses it, and can tell by `isHeld` before it does what must not be
 * done twice. Times of the file system are only compared with each other: its clock may differ from ours.
 *
 * @param path the lock's own file, beside what it guards; its folder must exist
 * @returns undefined where another owner still lives when the patience ends
 * @throws the system's error when the file cannot be made
 */
export async function acquireLock(
  path: string,
  { patience, signal, clock = systemClock }: LockOptions,
): Promise<Lock | undefined> {
  const began = clock.elapsed();
  let seen: BigIntStats | undefined;
  let looked = began;
  let silence = 0;
  for (;;) {
    const lock = tryLock(path, clock);
    if (lock !== undefined) return lock;
    const now = clock.elapsed();
    if (now - began >= patience || signal?.aborted === true) return undefined;
    const current = statusOf(path);
    const isSilent = current !== undefined && seen !== undefined && isSameBeat(current, seen);
    silence = isSilent ? silence + Math.min(now - looked, longestLook) : 0;
    [seen, looked] = [current, now];
    if (isSilent && silence >= deadAfter) remove(path, (lock) => isSameBeat(lock, current));
    else await clock.sleep(20 + 40 * Math.random(), signal);
  }
}

function tryLock(path: string, clock: Clock): Lock | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', 0o600);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return undefined;
    throw error;
  }
  const own = fstatSync(descriptor, { bigint: true });
  const isOurs = (other: BigIntStats): boolean => other.ino === own.ino && other.dev === own.dev;
  const closing = new AbortController();
  const release = (): void => {
    closing.abort();
    try {
      remove(path, isOurs);
    } catch {
      // It cannot be removed any more: soon it counts as dead.
    } finally {
      closeSync(descriptor);
    }
  };
  try {
    // For people who wonder whose it is.
    writeSync(descriptor, `${process.pid}\n`);
  } catch (error) {
    release();
    throw error;
  }
  void beat(descriptor, clock, closing.signal);
  return {
    isHeld() {
      const current = statusOf(path);
      return current !== undefined && isOurs(current);
    },
    release,
  };
}

/** By its descriptor: a lock that another has made meanwhile under the same name is none of ours. */
async function beat(descriptor: number, clock: Clock, signal: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(heartbeat, signal);
    if (signal.aborted) return;
    const now = clock.now();
    try {
      futimesSync(descriptor, now, now);
    } catch {
      // To others that is silence; who holds the lock asks before it acts.
    }
  }
}

/**
 * Removes the lock if it is the one that is meant. Another process may put its own in the place between a look and an
 * unlink: so it is moved aside, which only one can do, and looked at there.
 */
function remove(path: string, isMeant: (lock: BigIntStats) => boolean): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  const moved = statusOf(aside);
  try {
    if (moved !== undefined && !isMeant(moved)) linkSync(aside, path);
    unlinkSync(aside);
  } catch {
    // A third one has taken the place, or cleaned up.
  }
}

function statusOf(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function isSameBeat(one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.dev === other.dev && one.mtimeNs === other.mtimeNs;
}
