import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireLock } from '../../src/runtime/lock.ts';
import type { Lock } from '../../src/runtime/lock.ts';
import { FakeClock } from '../support/fake-clock.ts';

let folder = '';
let path = '';
let clock: FakeClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rolesanywhere-lock-'));
  path = join(folder, 'lock');
  clock = new FakeClock();
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const acquire = (patience = 60_000) => acquireLock(path, { patience, clock });

/** When, in milliseconds from now, the promise is there; undefined if not within the time given. */
async function timeOf(lock: Promise<Lock | undefined>, within: number): Promise<number | undefined> {
  const began = clock.elapsed();
  const time = lock.then(() => clock.elapsed() - began);
  for (let passed = 0; passed < within; passed += 50) await clock.advance(50);
  return Promise.race([time, Promise.resolve(undefined)]);
}

async function held(patience?: number): Promise<Lock> {
  const lock = await acquire(patience);
  if (lock === undefined) throw new Error('nobody else holds it');
  return lock;
}

describe('a lock', () => {
  it("is a file of this user's, with the owner's process number", async () => {
    const lock = await held();
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(lock.isHeld()).toBe(true);
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
    expect(lock.isHeld()).toBe(false);
  });

  it('belongs to one at a time, and the next has it soon after', async () => {
    const first = await held();
    const next = acquire();
    expect(await timeOf(next, 10_000)).toBeUndefined();
    first.release();
    expect(await timeOf(next, 200)).toBeLessThanOrEqual(150);
    (await next)?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is not waited for longer than the patience lasts', async () => {
    const first = await held();
    const next = acquire(5000);
    const time = await timeOf(next, 10_000);
    expect(time).toBeGreaterThanOrEqual(5000);
    expect(time).toBeLessThanOrEqual(5150);
    expect(await next).toBeUndefined();
    expect(first.isHeld()).toBe(true);
    first.release();
  });

  it('is not waited for any longer once a signal is aborted', async () => {
    const first = await held();
    const stop = new AbortController();
    const next = acquireLock(path, { patience: 60_000, clock, signal: stop.signal });
    await clock.advance(1000);
    stop.abort();
    expect(await next).toBeUndefined();
    first.release();
  });

  it('passes on within 3 s when its owner was killed', async () => {
    writeFileSync(path, '1\n');
    const next = acquire();
    const time = await timeOf(next, 5000);
    expect(time).toBeGreaterThanOrEqual(2400);
    expect(time).toBeLessThanOrEqual(3000);
    (await next)?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is no older for the clock of its file system, whatever that shows', async () => {
    for (const year of [1980, 2100]) {
      writeFileSync(path, '1\n');
      utimesSync(path, new Date(Date.UTC(year)), new Date(Date.UTC(year)));
      const next = acquire();
      expect(await timeOf(next, 5000)).toBeGreaterThanOrEqual(2400);
      (await next)?.release();
    }
  });

  it('goes to one alone when many wait for a dead owner', async () => {
    writeFileSync(path, '1\n');
    const locks: Lock[] = [];
    for (let i = 0; i < 20; i++) void acquire(10_000).then((lock) => lock && locks.push(lock));
    await clock.advance(5000);
    expect(locks.length).toBe(1);
    expect(locks[0]?.isHeld()).toBe(true);
    await clock.advance(10_000);
    expect(locks.length).toBe(1);
    locks[0]?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('stays with an owner whose machine slept', async () => {
    const first = await held();
    const next = acquire();
    await clock.advance(1000);
    await clock.suspend(3_600_000);
    // Whoever wakes first finds the patience ended, at the worst; never a lock to take away.
    await clock.advance(5000);
    expect(await next).toBeUndefined();
    expect(first.isHeld()).toBe(true);
    first.release();
  });

  it('is lost by an owner that was suspended alone, which can tell, and then leaves the lock of the next', async () => {
    const sleeper = new FakeClock();
    const suspended = await acquireLock(path, { patience: 0, clock: sleeper });
    const next = acquire();
    await timeOf(next, 5000);
    expect((await next)?.isHeld()).toBe(true);
    expect(suspended?.isHeld()).toBe(false);
    await sleeper.advance(1000);
    suspended?.release();
    expect((await next)?.isHeld()).toBe(true);
    (await next)?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('cannot be made in a folder that is not there', async () => {
    await expect(acquireLock(join(folder, 'missing', 'lock'), { patience: 0, clock })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
