import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshEntry } from '../../../src/credentials/cache/directory.ts';
import type { Entry } from '../../../src/credentials/cache/entry.ts';
import { Lock } from '../../../src/runtime/lock.ts';
import { fingerprint } from '../../../src/credentials/cache/entry.ts';
import { shared } from '../../../src/credentials/cache/store.ts';
import type { SharedOptions } from '../../../src/credentials/cache/store.ts';
import { RolesAnywhereError } from '../../../src/errors.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { silent } from '../../../src/reporter.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const minute = 60_000;
let home = '';
let directory = '';
let clock: FakeClock;
let warnings: string[];
let opened: number;

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'rolesanywhere-cache-'));
  directory = path.join(home, 'a', 'cache');
  clock = new FakeClock(new Date());
  warnings = [];
  opened = 0;
});

afterEach(() => {
  rmSync(home, { recursive: true });
});

/** An hour's worth, whose payload is the number of the call. */
function makeEntry(life = 60 * minute): Entry<number> {
  opened += 1;
  const now = clock.now().getTime();
  return {
    opened: new Date(now),
    refreshAt: new Date(now + (life * 3) / 4),
    expiration: new Date(now + life),
    payload: opened,
  };
}

const make = () => Promise.resolve(makeEntry());

async function slowly(): Promise<Entry<number>> {
  await clock.sleep(200);
  return makeEntry();
}

const failing = (code: ErrorCode) => () => {
  opened += 1;
  return Promise.reject(new RolesAnywhereError(code, 'it failed', { hint: 'help' }));
};

const shape = 'what shapes it';

function get(open: SharedOptions<number>['open'], more: Partial<SharedOptions<number>> = {}) {
  const reporter = {
    warn: (message: string) => warnings.push(message),
    debug: () => undefined,
  };
  return shared({ directory, shape, what: 'session', open, timeoutSeconds: 60, reporter, clock, ...more });
}

/** The payload, once as much time has passed as it takes. */
async function after<T>(milliseconds: number, promise: Promise<Entry<T>>): Promise<T> {
  const payload = promise.then((entry) => entry.payload);
  payload.catch(() => undefined);
  await clock.advance(milliseconds);
  return payload;
}

const file = (kind: string) => path.join(directory, `${fingerprint(shape)}.${kind}`);

describe('a shared entry', () => {
  it('is made once and then found, in directories and files of this user alone', async () => {
    expect((await get(make)).payload).toBe(1);
    expect((await get(make)).payload).toBe(1);
    expect(freshEntry(directory, shape, clock.now())?.payload).toBe(1);
    expect(readdirSync(directory)).toEqual([path.basename(file('json'))]);
    for (const each of [path.dirname(directory), directory]) expect(statSync(each).mode & 0o777).toBe(0o700);
    expect(statSync(file('json')).mode & 0o777).toBe(0o600);
    expect(warnings).toEqual([]);
  });

  it('is made once by 50 at a time', async () => {
    const all = Array.from({ length: 50 }, () => get(slowly));
    await clock.advance(300);
    for (const entry of await Promise.all(all)) expect(entry.payload).toBe(1);
  });

  it('is another for another shape', async () => {
    await get(make);
    expect((await get(make, { shape: 'other' })).payload).toBe(2);
    expect((await get(make)).payload).toBe(1);
  });

  it('is made once by those who wait, however short its life', async () => {
    const open = async () => {
      await clock.sleep(200);
      return makeEntry(30_000);
    };
    const all = [get(open), get(open), get(open)];
    await clock.advance(300);
    for (const entry of await Promise.all(all)) expect(entry.payload).toBe(1);
    // Whoever comes later wants one with a minute left.
    expect(await after(300, get(open))).toBe(2);
  });

  it('is made anew when its file is damaged, and when the clock was set back', async () => {
    await get(make);
    writeFileSync(file('json'), readFileSync(file('json')).subarray(0, 100));
    expect((await get(make)).payload).toBe(2);
    clock.set(-2 * 60 * minute);
    expect((await get(make)).payload).toBe(3);
    clock.set(24 * 60 * minute);
    expect((await get(make)).payload).toBe(4);
  });

  it('is not kept when what it was made from changed meanwhile', async () => {
    expect((await get(make, { isCurrent: () => Promise.resolve(false) })).payload).toBe(1);
    expect((await get(make)).payload).toBe(2);
  });
});

describe('ahead of its end', () => {
  it('is renewed by one, while the others use what is there', async () => {
    await get(make);
    await clock.advance(45 * minute);
    const limits: number[] = [];
    const renewing = get((seconds) => {
      limits.push(seconds);
      return slowly();
    });
    await clock.advance(0);
    // Nobody waits: no time passes here.
    for (let i = 0; i < 5; i++) expect((await get(make)).payload).toBe(1);
    expect(await after(200, renewing)).toBe(2);
    expect(limits).toEqual([5]);
    expect((await get(make)).payload).toBe(2);
  });

  it('is waited for by all when less than a minute is left', async () => {
    await get(make);
    await clock.advance(59 * minute);
    const all = [get(slowly), get(slowly)];
    await clock.advance(300);
    for (const entry of await Promise.all(all)) expect(entry.payload).toBe(2);
  });

  it.each<[ErrorCode, number]>([
    ['SERVICE_UNREACHABLE', 60_000],
    ['PASSWORD_WRONG', 300_000],
  ])(
    'is handed out with a warning when renewing it fails: %s, tried again after %d ms',
    async (code, pause) => {
      await get(make);
      await clock.advance(45 * minute);
      for (let i = 0; i < 10; i++) expect((await get(failing(code))).payload).toBe(1);
      expect(opened).toBe(2);
      expect(warnings).toHaveLength(10);
      expect(warnings[0]).toMatch(/^no new session, .* until [-\dT:]+Z: it failed$/);
      await clock.advance(pause - 1);
      expect((await get(make)).payload).toBe(1);
      warnings.pop();
      await clock.advance(1);
      expect((await get(make)).payload).toBe(3);
      expect((await get(make)).payload).toBe(3);
      expect(warnings).toHaveLength(10);
    },
  );

  it('is handed out with a warning until it ends, and then the failure', async () => {
    await get(make);
    await clock.advance(59.5 * minute);
    expect((await get(failing('SERVICE_TIMEOUT'))).payload).toBe(1);
    expect(warnings).toHaveLength(1);
    await clock.advance(0.5 * minute);
    await expect(get(failing('SERVICE_TIMEOUT'))).rejects.toMatchObject({ code: 'SERVICE_TIMEOUT' });
  });

  it('is not handed out when it ended while another was asked for in vain', async () => {
    await get(make);
    await clock.advance(60 * minute - 3000);
    const asked = get(async () => {
      await clock.sleep(4000);
      return failing('SERVICE_TIMEOUT')();
    });
    await expect(after(4000, asked)).rejects.toMatchObject({ code: 'SERVICE_TIMEOUT' });
    expect(warnings).toEqual([]);
  });
});

describe('while the service is down', () => {
  it('tells those who wait at once, and tries again soon, at longer intervals', async () => {
    const open = async () => {
      await clock.sleep(200);
      return failing('SERVICE_UNREACHABLE')();
    };
    const all = Array.from({ length: 20 }, () => get(open));
    for (const each of all) each.catch(() => undefined);
    await clock.advance(300);
    const outcomes = await Promise.allSettled(all);
    for (const outcome of outcomes) {
      const reason = { code: 'SERVICE_UNREACHABLE', message: 'it failed', hint: 'help' };
      expect(outcome).toMatchObject({ reason });
    }
    expect(opened).toBe(1);
    // Who comes later learns how old the news are.
    await expect(get(make)).rejects.toThrow(/^it failed \(so another process found \d s ago\)$/);
    // A thousand calls in 40 s, one after the other.
    for (let i = 0; i < 1000; i++) {
      await expect(get(failing('SERVICE_UNREACHABLE'))).rejects.toThrow(/^it failed/);
      await clock.advance(40);
    }
    // At 0, 2, 6, 14, 24 and 34 s.
    expect(opened).toBe(6);
    await clock.advance(10_000);
    const before = opened;
    expect((await get(make)).payload).toBe(before + 1);
    expect((await get(make)).payload).toBe(before + 1);
    // What failed before counts no longer.
    expect(existsSync(file('failure'))).toBe(false);
  });

  it('is asked at once when the clock was set back behind the failure', async () => {
    await expect(get(failing('SERVICE_FAILED'))).rejects.toThrow('it failed');
    clock.set(-60 * minute);
    expect((await get(make)).payload).toBe(2);
  });

  it('is asked by who tries again by itself, unless the failure comes while it waits', async () => {
    await expect(get(failing('SERVICE_FAILED'))).rejects.toThrow('it failed');
    await clock.advance(1);
    const open = async () => {
      await clock.sleep(200);
      return failing('SERVICE_FAILED')();
    };
    const all = [get(open, { triesAgain: true }), get(open, { triesAgain: true })];
    for (const each of all) each.catch(() => undefined);
    await clock.advance(300);
    for (const each of all) await expect(each).rejects.toMatchObject({ code: 'SERVICE_FAILED' });
    expect(opened).toBe(2);
    expect((await get(make, { triesAgain: true })).payload).toBe(3);
  });

  it('leaves everybody to their own keys, passwords and refusals', async () => {
    for (const code of ['PASSWORD_WRONG', 'KEY_UNREADABLE', 'SERVICE_REFUSED'] as const) {
      await expect(get(failing(code))).rejects.toMatchObject({ code });
    }
    expect((await get(make)).payload).toBe(4);
  });
});

describe('one newer than another', () => {
  it('is made, found, or waited for, and nothing older handed out', async () => {
    const first = await get(make);
    const newerThan = first.opened;
    await clock.advance(1);
    const [one, other] = [get(slowly, { newerThan }), get(slowly, { newerThan })];
    await clock.advance(300);
    expect([(await one).payload, (await other).payload]).toEqual([2, 2]);
    expect((await get(make, { newerThan })).payload).toBe(2);
    const since = (await one).opened;
    await expect(get(failing('SERVICE_REFUSED'), { newerThan: since })).rejects.toMatchObject({
      code: 'SERVICE_REFUSED',
    });
    expect((await get(make)).payload).toBe(2);
  });
});

describe('a holder of the lock', () => {
  it('that was killed holds nobody up for more than 3 s', async () => {
    await get(make, { shape: 'to make the directory' });
    writeFileSync(file('lock-1'), 'killed');
    utimesSync(file('lock-1'), clock.now(), clock.now());
    const all = Array.from({ length: 20 }, () => get(slowly));
    await clock.advance(3_000);
    for (const entry of await Promise.all(all)) expect(entry.payload).toBe(2);
    expect(existsSync(file('lock-1'))).toBe(false);
  });

  it('that hangs holds nobody up for longer than the timeout', async () => {
    await get(make, { shape: 'to make the directory' });
    const holder = new Lock(file('lock'), clock);
    expect(holder.tryTake()).toBe(true);
    const waiting = get(make, { timeoutSeconds: 20 });
    for (let i = 0; i < 20; i++) {
      await clock.advance(1_000);
      expect(opened).toBe(1);
      utimesSync(file('lock-1'), clock.now(), clock.now());
    }
    expect(await after(100, waiting)).toBe(2);
    holder.release();
  });
});

describe('what comes between the last look and the lock', () => {
  /** The next `get` looks, then this happens, then it takes the lock. */
  const meanwhile = (happens: () => void): FakeClock => {
    const other = new FakeClock(clock.now());
    let looks = 0;
    other.now = () => {
      looks += 1;
      if (looks === 2) happens();
      return clock.now();
    };
    return other;
  };
  const away = () => path.join(home, 'entry');

  beforeEach(async () => {
    await get(make);
    renameSync(file('json'), away());
  });

  it('is used, and the lock given back, if it is what was wanted', async () => {
    const other = meanwhile(() => {
      renameSync(away(), file('json'));
    });
    expect((await get(make, { clock: other })).payload).toBe(1);
    expect(readdirSync(directory)).toEqual([path.basename(file('json'))]);
  });

  it('leaves no lock behind if it is not in order', async () => {
    const other = meanwhile(() => {
      symlinkSync(away(), file('json'));
    });
    expect((await get(make, { clock: other })).payload).toBe(2);
    expect(warnings).toEqual([expect.stringMatching(/symbolic link/)]);
    expect(readdirSync(directory)).toEqual([path.basename(file('json'))]);
  });
});

describe('a cache that is not in order', () => {
  const isDoneWithout = async (why: RegExp) => {
    expect((await get(make)).payload).toBe(opened);
    expect(warnings.at(-1)).toMatch(why);
  };

  it('is done without: other users have access, or it is a link', async () => {
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    await isDoneWithout(/other users/);
    expect(readdirSync(directory)).toEqual([]);
    chmodSync(directory, 0o700);
    const { payload } = await get(make);
    expect(freshEntry(directory, shape, clock.now())?.payload).toBe(payload);
    chmodSync(directory, 0o710);
    expect(freshEntry(directory, shape, clock.now())).toBeUndefined();
    rmSync(directory, { recursive: true });
    mkdirSync(path.join(home, 'elsewhere'), { mode: 0o700 });
    symlinkSync(path.join(home, 'elsewhere'), directory);
    await isDoneWithout(/symbolic link/);
    rmSync(directory);
    writeFileSync(directory, '');
    await isDoneWithout(/is no directory/);
  });

  it('is done without when the entry is not in order', async () => {
    await get(make);
    chmodSync(file('json'), 0o640);
    await isDoneWithout(/other users/);
    expect(freshEntry(directory, shape, clock.now())).toBeUndefined();
    // A failure is not written either, and said once.
    await expect(get(failing('SERVICE_FAILED'))).rejects.toThrow('it failed');
    expect(readdirSync(directory)).toEqual([path.basename(file('json'))]);
    expect(warnings).toHaveLength(2);
    const elsewhere = path.join(home, 'entry.json');
    writeFileSync(elsewhere, readFileSync(file('json')), { mode: 0o600 });
    rmSync(file('json'));
    symlinkSync(elsewhere, file('json'));
    await isDoneWithout(/symbolic link/);
    expect(freshEntry(directory, shape, clock.now())).toBeUndefined();
    expect(opened).toBe(4);
  });

  it('is done without when the entry cannot be put in its place, and nothing half-done is left', async () => {
    const open = () => {
      mkdirSync(path.join(file('json'), 'full'), { recursive: true });
      return make();
    };
    expect((await get(open)).payload).toBe(1);
    expect(warnings).toHaveLength(1);
    expect(readdirSync(directory)).toEqual([path.basename(file('json'))]);
  });

  it('has no entry that is larger than any could be', async () => {
    const open = () => Promise.resolve({ ...makeEntry(), payload: 'x'.repeat(300_000) });
    const options = { directory, shape, what: 'session', open, timeoutSeconds: 60, reporter: silent, clock };
    await shared<string>(options);
    expect(freshEntry(directory, shape, clock.now())).toBeUndefined();
    await shared<string>(options);
    expect(opened).toBe(2);
  });

  it('is done without where there is no place for it, or none can be made', async () => {
    expect((await get(make, { directory: undefined })).payload).toBe(1);
    expect((await get(make, { directory: '/proc/self/nothing/here' })).payload).toBe(2);
    writeFileSync(path.join(home, 'file'), '');
    expect((await get(make, { directory: path.join(home, 'file', 'cache') })).payload).toBe(3);
    expect((await get(make, { directory: `${home}/\0` })).payload).toBe(4);
    expect(warnings).toHaveLength(4);
  });

  it('is cleaned up when something is written', async () => {
    await get(make, { shape: 'old' });
    const stranger = path.join(directory, 'README');
    const names = ['lock-3', 'failure', 'json.12-ab.tmp'].map((kind) => `0123456789abcdef.${kind}`);
    for (const each of [stranger, ...names.map((name) => path.join(directory, name))])
      writeFileSync(each, '');
    const old = new Date(clock.now().getTime() - 14 * 60 * minute);
    for (const name of readdirSync(directory)) utimesSync(path.join(directory, name), old, old);
    writeFileSync(path.join(directory, '0123456789abcdef.lock-4'), '');
    await get(make);
    expect(readdirSync(directory).sort()).toEqual(
      ['0123456789abcdef.lock-4', 'README', path.basename(file('json'))].sort(),
    );
  });
});
