import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DatabaseCredentials } from '../../src/redshift/credentials.ts';
import { sharedDatabaseCredentials, timed } from '../../src/redshift/shared-credentials.ts';
import { silent } from '../../src/reporter.ts';
import { FakeClock } from '../support/fake-clock.ts';

const minute = 60_000;
/** The service's clock, which is far from ours: only how long things last counts. */
const opened = new Date('2040-01-01T00:00:00Z');
const at = (minutes: number): Date => new Date(opened.getTime() + minutes * minute);
const login = (number: number, nextRefresh?: Date): DatabaseCredentials => ({
  dbUser: 'IAM:etl',
  dbPassword: `p${number}`,
  opened,
  expiration: at(60),
  ...(nextRefresh === undefined ? {} : { nextRefresh }),
  host: 'h',
  port: 5439,
  database: 'dev',
});

describe('when to ask again', () => {
  const now = new Date('2030-01-01T00:00:00Z');
  const minutesUntil = (date: Date): number => (date.getTime() - now.getTime()) / minute;
  test.each([
    ['at the time that the service names', at(20), 20],
    ['a quarter of an hour ahead of the end, where it names none', undefined, 45],
    ['likewise, where what it names is past', at(0), 45],
    ['likewise, where what it names is beyond the end', at(60), 45],
  ])('%s', (_, nextRefresh, minutes) => {
    expect(minutesUntil(timed(login(1, nextRefresh), now).refreshAt)).toBe(minutes);
  });
});

describe('shared', () => {
  let directory = '';
  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'shared-')), 'cache');
  });
  afterEach(async () => {
    await rm(join(directory, '..'), { recursive: true });
  });

  test('by all, as they were made, until their time comes', async () => {
    // The cache compares the times of its files with it.
    const clock = new FakeClock(new Date());
    let calls = 0;
    const ask = () =>
      sharedDatabaseCredentials({
        directory,
        shape: 's',
        request: () => Promise.resolve(login(++calls, at(20))),
        timeoutSeconds: 60,
        reporter: silent,
        clock,
      });
    const first = await ask();
    expect(first).toMatchObject({
      dbPassword: 'p1',
      expiration: at(60),
      host: 'h',
      port: 5439,
      database: 'dev',
    });
    expect(first.refreshAt.getTime()).toBe(clock.now().getTime() + 20 * minute);
    await clock.advance(19 * minute);
    expect(await ask()).toEqual(first);
    await clock.advance(minute);
    expect(await ask()).toMatchObject({ dbPassword: 'p2' });
    expect(calls).toBe(2);
  });
});
