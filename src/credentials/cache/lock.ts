import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readdirSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { errnoOf } from '../../runtime/errno.ts';
import type { Clock } from '../../runtime/clock.ts';
import { uniqueId } from '../../runtime/platform.ts';

/** How often a holder shows that it lives, in milliseconds. */
const beat = 500;

/** A holder that showed no life for so long is gone, or stopped: it holds nobody up any longer. */
const patience = 2_000;

/**
 * So much of the time between two looks counts at most, in milliseconds: where so many processes start at once that who
 * waits seldom gets to look, the holder seldom gets to beat.
 */
const longestGap = 200;

/** A holder whose time of day is so far from ours died long ago, and who comes only now need not watch it. */
const lost = 60_000;

/*
 * A lock between processes is a file that exactly one of them can make (O_EXCL, which NFS knows too), and whose holder
 * sets the file's time again and again. Who waits looks whether that time changes, by a clock of its own that nobody
 * sets: no clock of a file server counts, and no process number that means nothing in another container.
 *
 * What nobody can do atomically is to take a dead holder's file away and to make one's own. So nobody does: the files
 * are numbered, the highest is the lock, and the successor of a dead holder makes the next. Of many exactly one can.
 * Only the one who holds the lock and gives it back takes the files of its dead predecessors away.
 *
 * A holder that was only stopped, and goes on when another has its place, does no harm: both then have what they wanted,
 * and the cache gets the later. The lock saves calls; what is right never depends on it.
 */
export class Lock {
  readonly #directory: string;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #owner = uniqueId();
  /** The holder as it looked last, when that was, and for how long it has been seen to look so. */
  #seen: { readonly look: string; readonly at: number; readonly watched: number } | undefined;
  #held: number | undefined;
  #heart: ReturnType<typeof setInterval> | undefined;

  constructor(directory: string, name: string, clock: Clock) {
    this.#directory = directory;
    this.#prefix = `${name}.lock-`;
    this.#clock = clock;
  }

  /**
   * Takes it when nobody has it, or when its holder has shown no life for as long as this has been called.
   *
   * @throws the system's errors
   */
  tryTake(): boolean {
    const current = Math.max(0, ...this.#numbers());
    if (current > 0 && !this.#isDead(current)) return false;
    const number = current + 1;
    if (!this.#make(number)) return false;
    this.#held = number;
    this.#beat();
    this.#heart = setInterval(() => {
      this.#beat();
    }, beat);
    this.#heart.unref();
    return true;
  }

  /** Gives it back, if it is still ours. */
  release(): void {
    clearInterval(this.#heart);
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined || !this.#isOurs(held)) return;
    for (const number of this.#numbers().filter((each) => each < held)) removeQuietly(this.#file(number));
    removeQuietly(this.#file(held));
  }

  #make(number: number): boolean {
    const file = this.#file(number);
    let descriptor: number;
    try {
      descriptor = openSync(file, 'wx', 0o600);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
    try {
      writeSync(descriptor, this.#owner);
    } catch (error) {
      removeQuietly(file);
      throw error;
    } finally {
      closeSync(descriptor);
    }
    return true;
  }

  #numbers(): number[] {
    return readdirSync(this.#directory)
      .filter((file) => file.startsWith(this.#prefix))
      .map((file) => Number(file.slice(this.#prefix.length)))
      .filter(Number.isSafeInteger);
  }

  #isDead(number: number): boolean {
    const time = timeOf(this.#file(number));
    if (time !== undefined && Math.abs(this.#clock.now().getTime() - time) > lost) return true;
    const look = `${number} ${time ?? 'gone'}`;
    const now = this.#clock.elapsed();
    const seen = this.#seen?.look === look ? this.#seen : { at: now, watched: 0 };
    const watched = seen.watched + Math.min(now - seen.at, longestGap);
    this.#seen = { look, at: now, watched };
    return watched >= patience;
  }

  #beat(): void {
    const held = this.#held;
    if (held === undefined || !this.#isOurs(held)) return;
    const now = this.#clock.now();
    try {
      utimesSync(this.#file(held), now, now);
    } catch {
      // Then it looks dead, and another takes it: no harm.
    }
  }

  /** Another may have taken us for dead, and a third have made the same number again. */
  #isOurs(number: number): boolean {
    try {
      return readFileSync(this.#file(number), 'latin1') === this.#owner;
    } catch {
      return false;
    }
  }

  #file(number: number): string {
    return `${this.#directory}/${this.#prefix}${number}`;
  }
}

/** By opening it: NFS then asks the server, and does not answer from what it remembers (close-to-open consistency). */
function timeOf(file: string): number | undefined {
  try {
    const descriptor = openSync(file, 'r');
    try {
      return fstatSync(descriptor).mtimeMs;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}

/** Removes a file of ours that may be gone, or may stay where it cannot be removed. */
export function removeQuietly(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // Cleaned up another time.
  }
}
