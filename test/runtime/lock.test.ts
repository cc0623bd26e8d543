import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { acquireLock, Lock } from '../../src/runtime/lock.ts';
import { lifeOf, processName } from '../../src/runtime/process-life.ts';
import type { Life } from '../../src/runtime/process-life.ts';
import { FakeClock } from '../support/fake-clock.ts';

let folder = '';
let path = '';
let clock: FakeClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rolesanywhere-lock-'));
  path = join(folder, 'lock');
  clock = new FakeClock();
  life = 'unknown';
  // What holders beat by.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

/** What the system says of every holder: here they are all of one process, which runs. */
let life: Life = 'unknown';
const lock = () => new Lock(path, clock, () => life);
const acquire = (patience = 60_000) => acquireLock(path, { patience, clock, life: () => life });
const files = () => readdirSync(folder);

/** Every holder there is was killed, or stopped. */
const stop = () => vi.clearAllTimers();

/** Time passes, and who holds the lock lives in it. */
async function pass(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 50) {
    await clock.advance(50);
    vi.advanceTimersByTime(50);
  }
}

/** When, in milliseconds from now, the promise is there; undefined if not within the time given. */
async function timeOf(promise: Promise<unknown>, within: number): Promise<number | undefined> {
  const began = clock.elapsed();
  const time = promise.then(() => clock.elapsed() - began);
  await pass(within);
  return Promise.race([time, Promise.resolve(undefined)]);
}

/** Nobody beats for it any more, and its file stays. */
function dies(): void {
  expect(lock().tryTake()).toBe(true);
  stop();
}

/** Looks as often as a process that waits, and says who of them took it. */
async function takenBy(waiting: readonly Lock[], within: number): Promise<readonly Lock[]> {
  const taken: Lock[] = [];
  for (let passed = 0; passed < within; passed += 50) {
    await pass(50);
    taken.push(...waiting.filter((each) => !taken.includes(each) && each.tryTake()));
  }
  return taken;
}

describe('a lock', () => {
  it("is a file of this user's, with the holder's process number, until it is given back", () => {
    const [first, second] = [lock(), lock()];
    expect(first.isHeld()).toBe(false);
    expect(first.tryTake()).toBe(true);
    expect(second.tryTake()).toBe(false);
    expect(files()).toEqual(['lock-1']);
    expect(readFileSync(`${path}-1`, 'utf8')).toMatch(new RegExp(`^${process.pid}-`));
    expect(statSync(`${path}-1`).mode & 0o777).toBe(0o600);
    expect([first.isHeld(), second.isHeld()]).toEqual([true, false]);
    first.release();
    expect(files()).toEqual([]);
    expect(first.isHeld()).toBe(false);
    expect(second.tryTake()).toBe(true);
    second.release();
    expect(files()).toEqual([]);
  });

  it('is not the lock of another name', () => {
    for (const name of ['other', 'lock-1', 'loc']) {
      expect(new Lock(join(folder, name), clock).tryTake()).toBe(true);
    }
    expect(lock().tryTake()).toBe(true);
  });

  it('belongs to one at a time, and the next has it soon after', async () => {
    const first = await acquire();
    const next = acquire();
    expect(await timeOf(next, 20_000)).toBeUndefined();
    first?.release();
    expect(await timeOf(next, 200)).toBeLessThanOrEqual(150);
    (await next)?.release();
    expect(files()).toEqual([]);
  });

  it('is not waited for longer than the patience lasts', async () => {
    const first = await acquire();
    const next = acquire(5000);
    const time = await timeOf(next, 10_000);
    expect(time).toBeGreaterThanOrEqual(5000);
    expect(time).toBeLessThanOrEqual(5150);
    expect(await next).toBeUndefined();
    expect(first?.isHeld()).toBe(true);
  });

  it('is not waited for any longer once a signal is aborted', async () => {
    await acquire();
    const interruption = new AbortController();
    const next = acquireLock(path, { patience: 60_000, clock, signal: interruption.signal });
    await pass(1000);
    interruption.abort();
    expect(await next).toBeUndefined();
  });

  it('passes on within 3 s when its holder was killed', async () => {
    dies();
    const next = acquire();
    const time = await timeOf(next, 5000);
    expect(time).toBeGreaterThanOrEqual(2400);
    expect(time).toBeLessThanOrEqual(3000);
    (await next)?.release();
    expect(files()).toEqual([]);
  });

  it('passes on when its holder was killed before it said who it is', async () => {
    writeFileSync(`${path}-1`, '');
    const next = acquire();
    expect(await timeOf(next, 3000)).toBeGreaterThanOrEqual(2400);
    (await next)?.release();
    expect(files()).toEqual([]);
  });

  it('is no older for the clock of its file system or of another machine, whatever that shows', async () => {
    for (const year of [1980, 2029, 2100]) {
      dies();
      utimesSync(`${path}-1`, new Date(Date.UTC(year)), new Date(Date.UTC(year)));
      expect(lock().tryTake()).toBe(false);
      const next = acquire();
      expect(await timeOf(next, 5000)).toBeGreaterThanOrEqual(2400);
      (await next)?.release();
    }
  });

  it('goes to one alone when many wait for a dead holder', async () => {
    dies();
    const [successor, ...others] = await takenBy(Array.from({ length: 20 }, lock), 10_000);
    expect(others).toEqual([]);
    expect(successor?.isHeld()).toBe(true);
    successor?.release();
    expect(files()).toEqual([]);
  });

  it('stays with a holder whose machine slept', async () => {
    const first = await acquire();
    const next = acquire();
    await pass(1000);
    // Whoever wakes first finds the patience ended, at the worst; never a lock to take away.
    await clock.suspend(3_600_000);
    await pass(5000);
    expect(await next).toBeUndefined();
    expect(first?.isHeld()).toBe(true);
  });

  it('stays with a holder that others had no time to watch, as it had none to show that it lives', async () => {
    dies();
    const late = lock();
    expect(late.tryTake()).toBe(false);
    await clock.advance(60_000);
    expect(late.tryTake()).toBe(false);
  });

  it('is lost by a holder that was stopped alone, which can tell, and then leaves that of the next', async () => {
    const stopped = lock();
    expect(stopped.tryTake()).toBe(true);
    stop();
    const [second] = await takenBy([lock()], 3000);
    expect([stopped.isHeld(), second?.isHeld()]).toEqual([false, true]);
    stopped.release();
    expect(second?.isHeld()).toBe(true);
    expect(lock().tryTake()).toBe(false);
  });

  it('is not taken from others who came and went between the last look at a dead holder and the taking', async () => {
    dies();
    const [fast, newest] = [lock(), lock()];
    let meanwhile: (() => void) | undefined;
    const late = new Lock(
      path,
      Object.assign(new FakeClock(), {
        elapsed(): number {
          meanwhile?.();
          return clock.elapsed();
        },
      }),
      () => life,
    );
    for (let passed = 0; passed < 2500; passed += 50) {
      expect([fast.tryTake(), late.tryTake()]).toEqual([false, false]);
      await clock.advance(50);
    }
    meanwhile = () => {
      meanwhile = undefined;
      expect(fast.tryTake()).toBe(true);
      fast.release();
      expect(newest.tryTake()).toBe(true);
    };
    expect(late.tryTake()).toBe(false);
    expect(meanwhile).toBeUndefined();
    expect(newest.isHeld()).toBe(true);
  });

  describe('whose holder is found to be dead while', () => {
    /** The last look at it is over; then this happens, and then its successor tries to take the lock. */
    const takenAfter = (happens: () => void): boolean => {
      dies();
      return new Lock(path, clock, () => {
        happens();
        return 'gone';
      }).tryTake();
    };

    it('another takes it, is not taken from that', () => {
      life = 'gone';
      const another = lock();
      expect(
        takenAfter(() => {
          expect(another.tryTake()).toBe(true);
        }),
      ).toBe(false);
      expect(another.isHeld()).toBe(true);
      expect(files()).toEqual(['lock-1', 'lock-2']);
    });

    it('a later one appears, is not taken from that', () => {
      const isTaken = takenAfter(() => {
        renameSync(`${path}-1`, `${path}-3`);
      });
      expect(isTaken).toBe(false);
      expect(files()).toEqual(['lock-3']);
    });
  });

  it('passes on at once when the system knows that its holder is gone', async () => {
    dies();
    life = 'gone';
    const next = acquire();
    expect(await timeOf(next, 200)).toBe(0);
    (await next)?.release();
    expect(files()).toEqual([]);
  });

  it('passes on when its holder is stopped, and stays with one that runs but gets no turn', async () => {
    dies();
    life = 'running';
    const waiting = lock();
    expect(await takenBy([waiting], 20_000)).toEqual([]);
    life = 'stopped';
    expect(await takenBy([waiting], 100)).toEqual([waiting]);
  });

  it('passes on, in the end, even when its holder runs', async () => {
    dies();
    life = 'running';
    expect(await takenBy([lock()], 35_000)).toHaveLength(1);
  });

  it('asks the system for the process that holds it', () => {
    expect(lock().tryTake()).toBe(true);
    const asked: string[] = [];
    const other = new Lock(path, clock, (name) => {
      asked.push(name);
      return lifeOf(name);
    });
    expect(other.tryTake()).toBe(false);
    expect(asked).toEqual([processName()]);
  });

  it('is not given back by a holder that lost it, even when somebody has made its file again', async () => {
    const stopped = lock();
    expect(stopped.tryTake()).toBe(true);
    stop();
    const [second] = await takenBy([lock()], 3000);
    second?.release();
    const third = lock();
    expect(third.tryTake()).toBe(true);
    expect(files()).toEqual(['lock-1']);
    expect(stopped.isHeld()).toBe(false);
    stopped.release();
    expect(third.isHeld()).toBe(true);
  });

  it('cannot be made in a folder that is not there', async () => {
    await expect(acquireLock(join(folder, 'missing', 'lock'), { patience: 0, clock })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
