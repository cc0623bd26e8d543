import { closeSync, fstatSync, openSync, readFileSync, readdirSync, utimesSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { errnoOf } from './errno.ts';
import { uniqueId } from './platform.ts';
import { lifeOf, processName } from './process-life.ts';
import type { Life } from './process-life.ts';
import { removeQuietly } from './remove-quietly.ts';

/** How often a holder shows that it lives, in milliseconds. */
const beat = 500;

/**
 * For how long a holder may show no life, in milliseconds, by what the system says of it. One that runs may be starved by
 * fifty others that start at once; one that is stopped, or of which nothing can be told, holds nobody up any longer.
 */
const deadAfter: Readonly<Record<Life, number>> = { running: 30_000, stopped: 2500, unknown: 2500, gone: 0 };

/**
 * So much of the time between two looks counts at most, in milliseconds. The machine may have slept, and the holder with
 * us; and where so many processes start at once that who waits seldom gets to look, the holder seldom gets to beat.
 */
const longestLook = 200;

/** A holder as it looked last, when that was, and for how long it had looked so. */
interface Look {
  readonly number: number;
  readonly time: number | undefined;
  readonly at: number;
  readonly silence: number;
}

/** What the system says of the process that made a lock's file; a parameter for tests, whose holders are one process. */
type LifeOf = (processName: string) => Life;

/**
 * A lock between processes: a file that exactly one of them can make (O_EXCL, which NFS knows too), and whose holder
 * sets the file's time again and again. Who waits looks whether that time changes, by a clock of its own that nobody
 * sets: no clock of a file server counts. Where holder and waiter are of one machine and container, the system knows more:
 * a holder that was killed is followed at once, and one that only waits for its turn on a busy processor is left alone.
 *
 * What nobody can do atomically is to take a dead holder's file away and to make one's own. So nobody does: the files
 * are numbered, the highest is the lock, and the successor of a dead holder makes the next. Of many exactly one can.
 * Only the one who holds the lock and gives it back takes the files of its dead predecessors away.
 *
 * Whoever lives but was silent for longer than `deadAfter` loses it, and asks `isHeld` before what must not be done twice.
 */
export class Lock {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #lifeOf: LifeOf;
  readonly #owner = `${uniqueId()} ${processName()}`;
  #seen: Look | undefined;
  #held: number | undefined;
  #heart: ReturnType<typeof setInterval> | undefined;

  /** @param path of its files, each with a number behind it; their folder must exist when it is taken */
  constructor(path: string, clock = systemClock, life: LifeOf = lifeOf) {
    this.#path = path;
    this.#clock = clock;
    this.#lifeOf = life;
  }

  /**
   * Takes it when nobody has it, when its holder is gone, or when that has shown no life for `deadAfter`, in which this was
   * called again and again.
   *
   * @throws the system's errors
   */
  tryTake(): boolean {
    const current = this.#highest();
    const seen = current > 0 ? this.#look(current) : undefined;
    if (seen !== undefined && seen.silence < deadAfter[this.#lifeOf(this.#holderOf(current))]) return false;
    const number = current + 1;
    if (!this.#make(number)) return false;
    // Between our look and our file others may have come and gone, and one of them have the lock by now.
    const isOvertaken = seen !== undefined && ![seen.time, undefined].includes(this.#timeOf(current));
    if (isOvertaken || this.#highest() !== number) {
      removeQuietly(this.#file(number));
      return false;
    }
    this.#held = number;
    this.#beat();
    this.#heart = setInterval(() => {
      this.#beat();
    }, beat);
    this.#heart.unref();
    return true;
  }

  /** Whether it was taken, not given back, and nobody has taken us for dead. */
  isHeld(): boolean {
    try {
      return this.#held !== undefined && this.#isOurs(this.#held) && this.#highest() === this.#held;
    } catch {
      return false;
    }
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
    const prefix = `${basename(this.#path)}-`;
    return readdirSync(dirname(this.#path))
      .filter((file) => file.startsWith(prefix))
      .map((file) => Number(file.slice(prefix.length)))
      .filter(Number.isSafeInteger);
  }

  /** The name of the process that made a file. */
  #holderOf(number: number): string {
    try {
      return readFileSync(this.#file(number), 'latin1').replace(/^\S* /, '');
    } catch {
      return '';
    }
  }

  /** 0 when nobody has it. */
  #highest(): number {
    return Math.max(0, ...this.#numbers());
  }

  #look(number: number): Look {
    const [time, at, seen] = [this.#timeOf(number), this.#clock.elapsed(), this.#seen];
    const isSilent = seen?.number === number && seen.time === time;
    const silence = isSilent ? seen.silence + Math.min(at - seen.at, longestLook) : 0;
    return (this.#seen = { number, time, at, silence });
  }

  /** By opening it: NFS then asks the server, and does not answer from what it remembers (close-to-open consistency). */
  #timeOf(number: number): number | undefined {
    try {
      const descriptor = openSync(this.#file(number), 'r');
      try {
        return fstatSync(descriptor).mtimeMs;
      } finally {
        closeSync(descriptor);
      }
    } catch {
      return undefined;
    }
  }

  #beat(): void {
    const held = this.#held;
    if (held === undefined || !this.#isOurs(held)) return;
    const now = this.#clock.now();
    try {
      utimesSync(this.#file(held), now, now);
    } catch {
      // To others that is silence.
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
    return `${this.#path}-${number}`;
  }
}

export interface LockOptions {
  /** Milliseconds to wait for another holder that lives. */
  readonly patience: number;
  /** Ends the patience. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** For tests. */
  readonly life?: LifeOf;
}

/**
 * Takes a lock, at once or as soon as nobody else has it.
 *
 * @param path of its files, beside what it guards
 * @returns undefined where another holder still lives when the patience ends
 * @throws the system's errors
 */
export async function acquireLock(
  path: string,
  { patience, signal, clock = systemClock, life }: LockOptions,
): Promise<Lock | undefined> {
  const lock = new Lock(path, clock, life);
  const end = clock.elapsed() + patience;
  while (!lock.tryTake()) {
    if (clock.elapsed() >= end || signal?.aborted === true) return undefined;
    await clock.sleep(20 + 40 * Math.random(), signal);
  }
  return lock;
}
