import { beforeEach, describe, expect, it } from 'vitest';
import type { Credentials } from '../../src/aws/credentials.ts';
import { ProfileKeeper } from '../../src/credentials/profile-keeper.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { expectCode } from '../support/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';

const made = (accessKeyId: string): Credentials => ({
  accessKeyId,
  secretAccessKey: 'secret',
  sessionToken: 'token',
  expiration: new Date('2030-01-01T01:00:00Z'),
});
const diskFull = () => new RolesAnywhereError('FILE_UNWRITABLE', 'cannot write file: the disk is full');

let clock: FakeClock;
let written: string[];
let warnings: string[];
/** What writing fails with. */
let trouble: Error | undefined;
/** What writing takes, in milliseconds. */
let slowness: number;
let keeper: ProfileKeeper;

beforeEach(() => {
  clock = new FakeClock();
  [written, warnings, trouble, slowness] = [[], [], undefined, 0];
  keeper = new ProfileKeeper({
    async write({ accessKeyId }) {
      if (slowness > 0) await clock.sleep(slowness);
      if (trouble !== undefined) throw trouble;
      written.push(accessKeyId);
    },
    reporter: { warn: (message) => warnings.push(message), debug: () => undefined },
    clock,
  });
});

const startWith = async (id: string): Promise<void> => {
  keeper.put(made(id));
  await keeper.start();
};

describe('the first credentials', () => {
  it('are written at the start, and only then', async () => {
    keeper.put(made('A'));
    expect(written).toEqual([]);
    await keeper.start();
    expect(written).toEqual(['A']);
  });

  it('end it when they cannot be written', async () => {
    trouble = diskFull();
    await expectCode(() => startWith('A'), 'FILE_UNWRITABLE');
    expect(warnings).toEqual([]);
  });

  it('are followed by those that came meanwhile', async () => {
    slowness = 100;
    const started = startWith('A');
    keeper.put(made('B'));
    await clock.advance(200);
    await started;
    expect(written).toEqual(['A', 'B']);
  });
});

describe('the next credentials', () => {
  it('are written as they come, the newest of those that wait', async () => {
    await startWith('A');
    for (const id of ['B', 'C']) {
      keeper.put(made(id));
      await clock.advance(0);
    }
    slowness = 100;
    for (const id of ['D', 'E', 'F']) keeper.put(made(id));
    await clock.advance(1000);
    expect(written).toEqual(['A', 'B', 'C', 'D', 'F']);
  });

  it('are tried again, soon and then every half minute, and why is said once', async () => {
    await startWith('A');
    trouble = diskFull();
    keeper.put(made('B'));
    await clock.advance(3_600_000);
    expect(warnings).toEqual(['cannot write file: the disk is full']);
    trouble = new RolesAnywhereError('FILE_UNWRITABLE', 'cannot write file: permission denied');
    await clock.advance(31_000);
    expect(warnings.length).toBe(2);
    trouble = undefined;
    await clock.advance(31_000);
    expect(written).toEqual(['A', 'B']);
    keeper.put(made('C'));
    await clock.advance(0);
    expect(written).toEqual(['A', 'B', 'C']);
  });

  it('take the place of those that could not be written', async () => {
    await startWith('A');
    trouble = diskFull();
    keeper.put(made('B'));
    await clock.advance(10);
    trouble = undefined;
    keeper.put(made('C'));
    await clock.advance(2000);
    expect(written).toEqual(['A', 'C']);
  });
});

describe('its end', () => {
  it('waits for the write that is under way', async () => {
    await startWith('A');
    slowness = 100;
    keeper.put(made('B'));
    let hasEnded = false;
    const ended = keeper[Symbol.asyncDispose]().then(() => (hasEnded = true));
    await clock.advance(50);
    expect(hasEnded).toBe(false);
    await clock.advance(50);
    await ended;
    expect(written).toEqual(['A', 'B']);
  });

  it('says nothing of a write that it interrupts', async () => {
    await startWith('A');
    trouble = diskFull();
    slowness = 100;
    keeper.put(made('B'));
    await clock.advance(50);
    const ended = keeper[Symbol.asyncDispose]();
    await clock.advance(50);
    await ended;
    expect(warnings).toEqual([]);
  });

  it('waits for no other try', async () => {
    await startWith('A');
    trouble = diskFull();
    keeper.put(made('B'));
    await clock.advance(10);
    await keeper[Symbol.asyncDispose]();
    expect(written).toEqual(['A']);
  });
});
