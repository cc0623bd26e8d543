import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Lock } from '../../../src/credentials/cache/lock.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let directory = '';
let clock: FakeClock;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'rolesanywhere-lock-'));
  clock = new FakeClock();
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const lock = () => new Lock(directory, 'name', clock);
const files = () => readdirSync(directory);

/** Nobody beats for it any more, and its file stays. */
function dies(holder: Lock): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  expect(holder.tryTake()).toBe(true);
  vi.clearAllTimers();
}

/** Looks at a lock for 2 s, as often as who waits for it does, and tries to take it. */
async function watches(waiting: Lock): Promise<boolean> {
  for (let i = 0; i < 20; i++) {
    expect(waiting.tryTake()).toBe(false);
    await clock.advance(100);
  }
  return waiting.tryTake();
}

describe('a lock', () => {
  it('is one process’s until it gives it back', () => {
    const [first, second] = [lock(), lock()];
    expect(first.tryTake()).toBe(true);
    expect(second.tryTake()).toBe(false);
    first.release();
    expect(files()).toEqual([]);
    expect(second.tryTake()).toBe(true);
    second.release();
    expect(files()).toEqual([]);
  });

  it('is not the lock of another name', () => {
    const other = new Lock(directory, 'other', clock);
    expect(other.tryTake()).toBe(true);
    expect(lock().tryTake()).toBe(true);
  });

  it('stays with a holder that lives, however long it takes', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const [holder, waiting] = [lock(), lock()];
    expect(holder.tryTake()).toBe(true);
    for (let i = 0; i < 40; i++) {
      await clock.advance(500);
      vi.advanceTimersByTime(500);
      expect(waiting.tryTake()).toBe(false);
    }
    holder.release();
    expect(waiting.tryTake()).toBe(true);
  });

  it('goes from a dead holder to exactly one successor, 2 s after it was first seen dead', async () => {
    dies(lock());
    const waiting = Array.from({ length: 10 }, lock);
    const successors = () => waiting.filter((each) => each.tryTake());
    for (let i = 0; i < 20; i++) {
      expect(successors()).toEqual([]);
      await clock.advance(100);
    }
    const [successor, ...others] = successors();
    expect(others).toEqual([]);
    successor?.release();
    expect(files()).toEqual([]);
  });

  it('stays with a holder that others had no time to watch, as it had none to show that it lives', async () => {
    dies(lock());
    const waiting = lock();
    expect(waiting.tryTake()).toBe(false);
    await clock.advance(5_000);
    expect(waiting.tryTake()).toBe(false);
  });

  it('is not watched for long when its holder died long ago, by either clock', () => {
    dies(lock());
    clock.set(61_000);
    expect(lock().tryTake()).toBe(true);
    clock.set(-2 * 61_000);
    expect(lock().tryTake()).toBe(true);
  });

  it('does not fall to who only comes now, when its time was set by another clock a little off', () => {
    dies(lock());
    utimesSync(path.join(directory, files()[0] ?? ''), clock.now(), new Date(clock.now().getTime() - 30_000));
    expect(lock().tryTake()).toBe(false);
  });

  it('is not taken away from a successor by a holder that had only stopped', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const [stopped, second, third] = [lock(), lock(), lock()];
    expect(stopped.tryTake()).toBe(true);
    expect(await watches(second)).toBe(true);
    stopped.release();
    expect(third.tryTake()).toBe(false);
    // The same when the successor is through, and somebody has made the stopped one's file again.
    const [old, next, newest] = [lock(), lock(), lock()];
    second.release();
    expect(old.tryTake()).toBe(true);
    expect(await watches(next)).toBe(true);
    next.release();
    expect(newest.tryTake()).toBe(true);
    old.release();
    expect(files()).toEqual(['name.lock-1']);
    expect(third.tryTake()).toBe(false);
  });
});
