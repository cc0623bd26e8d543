import { closeSync, lstatSync, openSync, readdirSync, renameSync, writeSync } from 'node:fs';
import { RolesAnywhereError } from '../../errors.ts';
import type { Reporter } from '../../reporter.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Clock } from '../../runtime/clock.ts';
import { errnoOf, reasonOf } from '../../runtime/errno.ts';
import { Lock } from '../../runtime/lock.ts';
import { makeDirectory } from '../../runtime/make-directory.ts';
import { uniqueId } from '../../runtime/platform.ts';
import { removeQuietly } from '../../runtime/remove-quietly.ts';
import { wholeSeconds } from '../whole-seconds.ts';
import { entryFile, mistrust, Mistrusted, readEntry } from './directory.ts';
import { fingerprint, formatEntry, isFresh, isUsable, isValid, longestLife } from './entry.ts';
import type { Entry } from './entry.ts';
import { failureFile, formatFailure, isPausing, readFailure } from './failure.ts';
import type { Failure } from './failure.ts';

export interface SharedOptions<T> {
  /** What `cacheDirectory` says; undefined when there is no place for it. */
  readonly directory: string | undefined;
  /** Everything that the payload depends on, and no secret: processes that say the same share. */
  readonly shape: string;
  /** As messages call the payload: `session`. */
  readonly what: string;
  /**
   * Makes a new one, within about so many seconds.
   *
   * @param seconds `timeoutSeconds`; less where there is something else to hand out
   */
  readonly open: (seconds: number) => Promise<Entry<T>>;
  /** Seconds to wait for another process that is making one. Then this one makes its own. */
  readonly timeoutSeconds: number;
  /** Wanted is one that was opened later than this, and fresh; no other is handed out when that fails. */
  readonly newerThan?: Date | undefined;
  /** The caller tries again by itself: another's failure counts only when it comes while this one waits for it. */
  readonly triesAgain?: boolean;
  /** Asked after `open`; false keeps what it made from others: it may not have been made from what `shape` says. */
  readonly isCurrent?: () => Promise<boolean>;
  readonly reporter: Reporter;
  readonly clock?: Clock;
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

/** Seconds that a new one may take while the old one could be handed out. */
const aheadSeconds = 5;

/** What was left by a process that ended in the middle, in milliseconds. */
const leftover = 600_000;

/**
 * What one process makes and all of this user's use: one call at a time whoever asks, ahead of the end, and while that
 * fails what is there, with a warning, until it ends. A cache that cannot be used is done without, with a warning.
 *
 * The payload of an entry is what `open` made, in this process or another one, after a way through JSON.
 *
 * @throws what `open` throws, here or moments ago in another process, when there is nothing to hand out
 */
export async function shared<T>(options: SharedOptions<T>): Promise<Entry<T>> {
  const { open, timeoutSeconds } = options;
  let directory: string;
  try {
    directory = prepareDirectory(options.directory);
  } catch (error) {
    warnOfCache(options, error);
    return open(timeoutSeconds);
  }
  const turn = await waitForTurn(directory, options);
  if (turn.entry !== undefined) return turn.entry;
  try {
    const { spare } = turn;
    const entry = await open(spare ? Math.min(aheadSeconds, timeoutSeconds) : timeoutSeconds);
    if (turn.isUsable && (await options.isCurrent?.()) !== false) keep(directory, entry, options);
    return entry;
  } catch (error) {
    if (!(error instanceof RolesAnywhereError)) throw error;
    const now = clockOf(options).now();
    if (turn.isUsable) keepFailure(directory, { error, at: now, attempts: turn.attempts + 1 }, options);
    if (turn.spare === undefined || !isValid(turn.spare, now)) throw error;
    warnOfSpare(options, error, turn.spare);
    return turn.spare;
  } finally {
    turn.lock?.release();
  }
}

/** Another's entry to hand out, or what to make one with. */
interface Turn<T> {
  readonly entry?: Entry<T>;
  /** What to hand out when making one fails. */
  readonly spare?: Entry<T> | undefined;
  /** Absent when waiting for it took too long. */
  readonly lock?: Lock;
  /** Whether the cache can be written. */
  readonly isUsable: boolean;
  /** How many in a row have failed. */
  readonly attempts: number;
}

/** @throws RolesAnywhereError: what another process met moments ago and we would meet too */
async function waitForTurn<T>(directory: string, options: SharedOptions<T>): Promise<Turn<T>> {
  const { shape, timeoutSeconds, newerThan, triesAgain = false, random = Math.random } = options;
  const clock = clockOf(options);
  const start = clock.now();
  const lock = new Lock(`${directory}/${fingerprint(shape)}.lock`, clock);
  const end = clock.elapsed() + timeoutSeconds * 1000;
  let first: { readonly entry: Entry<T> | undefined } | undefined;
  let spare: Entry<T> | undefined;
  let attempts = 0;
  try {
    for (let holds = false; ;) {
      const entry = readEntry(directory, shape) as Entry<T> | undefined;
      const now = clock.now();
      first ??= { entry };
      // What was made while we waited is as good as our own, however short its life.
      const arrived = entry?.opened.getTime() !== first.entry?.opened.getTime();
      const isNewer = newerThan === undefined || (entry !== undefined && entry.opened > newerThan);
      if (entry && isNewer && (isFresh(entry, now) || (arrived && isValid(entry, now)))) {
        if (holds) lock.release();
        return { entry, isUsable: true, attempts };
      }
      spare = entry && newerThan === undefined && isValid(entry, now) ? entry : undefined;
      if (holds) return { lock, spare, isUsable: true, attempts };

      const isEnough = spare !== undefined && isUsable(spare, now);
      const failure = readFailure(directory, shape);
      attempts = failure?.attempts ?? 0;
      if (failure && isPausing(failure, isEnough, now) && !(triesAgain && failure.at < start)) {
        if (spare === undefined) throw failure.at < start ? toldAgain(failure, now) : failure.error;
        warnOfSpare(options, failure.error, spare);
        return { entry: spare, isUsable: true, attempts };
      }
      holds = lock.tryTake();
      // Another may have been faster, between our look and the lock.
      if (holds) continue;
      if (spare && isEnough) return { entry: spare, isUsable: true, attempts };
      if (clock.elapsed() >= end) return { spare, isUsable: true, attempts };
      await clock.sleep(20 + 40 * random());
    }
  } catch (error) {
    lock.release();
    if (error instanceof RolesAnywhereError) throw error;
    warnOfCache(options, error);
    return { spare, isUsable: false, attempts };
  }
}

/**
 * The directory, made if it is not there.
 *
 * @throws the system's errors; Mistrusted
 */
function prepareDirectory(directory: string | undefined): string {
  if (directory === undefined) throw new Mistrusted('neither HOME nor XDG_CACHE_HOME is set');
  makeDirectory(directory);
  const problem = mistrust(lstatSync(directory), 'directory');
  if (problem !== undefined) throw new Mistrusted(problem);
  return directory;
}

function keep(directory: string, entry: Entry, options: SharedOptions<unknown>): void {
  const { shape } = options;
  try {
    replace(entryFile(directory, shape), formatEntry(shape, entry));
    removeQuietly(failureFile(directory, shape));
    cleanUp(directory, clockOf(options).now());
  } catch (error) {
    warnOfCache(options, error);
  }
}

function keepFailure(directory: string, failure: Failure, options: SharedOptions<unknown>): void {
  try {
    replace(failureFile(directory, options.shape), formatFailure(failure));
  } catch (error) {
    warnOfCache(options, error);
  }
}

/**
 * Readers see the old file or the new one. Nothing waits for the disk (fsync): what a failing machine loses or tears is
 * as none, and costs one call.
 */
function replace(file: string, text: string): void {
  const temporary = `${file}.${uniqueId()}.tmp`;
  const descriptor = openSync(temporary, 'wx', 0o600);
  try {
    try {
      const bytes = Buffer.from(text);
      for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
}

/** Removes what is of no use to anybody: what has expired whatever it was, and what ended processes left. */
function cleanUp(directory: string, now: Date): void {
  for (const file of readdirSync(directory)) {
    const [, kind] = /^[\da-f]{16}\.(json|failure|lock-\d+|\w+\.[\w-]+\.tmp)$/.exec(file) ?? [];
    if (kind === undefined) continue;
    const each = `${directory}/${file}`;
    const status = lstatSync(each, { throwIfNoEntry: false });
    const age = now.getTime() - (status?.mtimeMs ?? now.getTime());
    if (age > (kind === 'json' || kind === 'failure' ? longestLife : leftover)) removeQuietly(each);
  }
}

function toldAgain({ error, at }: Failure, now: Date): RolesAnywhereError {
  const seconds = Math.round((now.getTime() - at.getTime()) / 1000);
  const { hint } = error;
  const message = `${error.message} (so another process found ${seconds} s ago)`;
  return new RolesAnywhereError(error.code, message, hint === undefined ? {} : { hint });
}

function warnOfSpare(
  { reporter, what }: SharedOptions<unknown>,
  { message, hint }: RolesAnywhereError,
  spare: Entry,
): void {
  const until = wholeSeconds(spare.expiration);
  reporter.warn(`no new ${what}, the one of the cache is used, until ${until}: ${message}`, hint);
}

function warnOfCache({ reporter, directory }: SharedOptions<unknown>, error: unknown): void {
  const isMistrusted = error instanceof Mistrusted;
  if (!isMistrusted && errnoOf(error) === undefined) throw error;
  const where =
    directory === undefined ? 'there is no place for the cache' : `the cache ${directory} is not used`;
  reporter.warn(
    `${where}: ${isMistrusted ? error.message : reasonOf(error)}`,
    directory === undefined
      ? 'set ROLESANYWHERE_CACHE_DIR to a directory of your own'
      : isMistrusted
        ? `it must be a directory of your own with mode 0700, and its files 0600: remove it, and it is made anew`
        : undefined,
  );
}

function clockOf({ clock = systemClock }: Pick<SharedOptions<unknown>, 'clock'>): Clock {
  return clock;
}
