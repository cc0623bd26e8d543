import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Refresher } from '../../src/credentials/refresher.ts';
import type { OpenOptions, OpenedSession, SessionSource } from '../../src/credentials/session-source.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { expectCode } from '../support/errors.ts';

const minute = 60_000;

interface Service extends SessionSource {
  files: readonly string[];
  /** When each attempt began, in elapsed milliseconds. */
  readonly attempts: number[];
  readonly asked: OpenOptions[];
  failure: RolesAnywhereError | undefined;
  /** How old the sessions are that it gives, and how far its clock is ahead, in milliseconds. */
  age: number;
  skew: number;
  /** How long it takes to answer, in milliseconds. */
  delay: number;
  isDisposed: boolean;
}

function makeService(clock: FakeClock, lifeSeconds = 3600): Service {
  const service: Service = {
    files: [],
    attempts: [],
    asked: [],
    failure: undefined,
    age: 0,
    skew: 0,
    delay: 0,
    isDisposed: false,
    async open(options = {}) {
      service.attempts.push(clock.elapsed());
      service.asked.push(options);
      if (service.delay > 0) await clock.sleep(service.delay);
      await Promise.resolve();
      if (service.failure !== undefined) throw service.failure;
      const { age, skew } = service;
      const opened = new Date(clock.now().getTime() + skew - age);
      const credentials = {
        accessKeyId: `ASIA${service.attempts.length}`,
        secretAccessKey: 'secret',
        sessionToken: 'token',
        expiration: new Date(opened.getTime() + lifeSeconds * 1000),
      };
      return { session: { credentials }, credentials, opened, skew };
    },
    [Symbol.asyncDispose]() {
      service.isDisposed = true;
      return Promise.resolve();
    },
  };
  return service;
}

const down = (): RolesAnywhereError => new RolesAnywhereError('SERVICE_UNREACHABLE', 'nothing listens');
const refusal = (): RolesAnywhereError =>
  new RolesAnywhereError('SERVICE_REFUSED', 'the profile is disabled');

const open: Refresher[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

interface Rig {
  readonly clock: FakeClock;
  readonly service: Service;
  readonly refresher: Refresher;
  readonly said: string[];
}

function make(random: () => number = () => 0, lifeSeconds = 3600): Rig {
  const clock = new FakeClock();
  const service = makeService(clock, lifeSeconds);
  const said: string[] = [];
  const reporter = {
    warn: (message: string) => said.push(`warning: ${message}`),
    note: (message: string) => said.push(`note: ${message}`),
    debug: () => undefined,
  };
  const refresher = new Refresher({ source: service, clock, random, reporter });
  open.push(refresher);
  return { clock, service, refresher, said };
}
const keyOf = ({ credentials }: OpenedSession): string => credentials.accessKeyId;

describe('a service that is well', () => {
  it('is asked once, whoever asks', async () => {
    const { service, refresher } = make();
    const all = await Promise.all(Array.from({ length: 20 }, () => refresher.get()));
    expect(new Set(all.map(keyOf))).toEqual(new Set(['ASIA1']));
    expect(service.attempts).toHaveLength(1);
  });

  it('is asked ahead of the end, in the background', async () => {
    const { clock, service, refresher } = make();
    await refresher.start();
    await clock.advance(45 * minute - 1);
    expect(service.attempts).toHaveLength(1);
    await clock.advance(2);
    expect(service.attempts).toHaveLength(2);
    expect(keyOf(await refresher.get())).toBe('ASIA2');
  });
});

describe('the time of a refresh', () => {
  it.each([0, 0.5, 1])('is between advisory and mandatory, not everybody’s at once (%d)', async (random) => {
    const { clock, service, refresher } = make(() => random);
    await refresher.start();
    const first = service.attempts[0] ?? 0;
    await clock.advance(50 * minute);
    expect((service.attempts[1] ?? 0) - first).toBeCloseTo(45 * minute + random * 2.5 * minute, -1);
  });

  it('does not move with the time of day, which anybody may set', async () => {
    for (const jump of [-24 * 60 * minute, 24 * 60 * minute]) {
      const { clock, service, refresher } = make();
      await refresher.start();
      clock.set(jump);
      await clock.advance(44 * minute);
      expect(service.attempts).toHaveLength(1);
      await clock.advance(2 * minute);
      expect(service.attempts).toHaveLength(2);
    }
  });

  it('comes at once after the machine slept past it, and nobody gets what expired meanwhile', async () => {
    const { clock, service, refresher } = make();
    await refresher.start();
    const awake = clock.suspend(8 * 60 * minute);
    const got = refresher.get();
    await awake;
    expect(keyOf(await got)).toBe('ASIA2');
    await clock.advance(minute);
    expect(service.attempts).toHaveLength(2);
  });

  it('counts from when the session was opened, be it by another process', async () => {
    const { clock, service, refresher } = make();
    service.age = 44 * minute;
    await refresher.start();
    service.age = 0;
    await clock.advance(2 * minute);
    expect(service.attempts).toHaveLength(2);
  });

  it('comes no later for a session from the future', async () => {
    const { clock, service, refresher } = make();
    service.age = -30 * minute;
    await refresher.start();
    await clock.advance(46 * minute);
    expect(service.attempts).toHaveLength(2);
  });

  it('does not come at once again, should what came be past it already', async () => {
    const { clock, service, refresher } = make();
    service.age = 50 * minute;
    await refresher.start();
    await clock.advance(minute);
    expect(service.attempts).toHaveLength(7);
    service.age = 60 * minute - 1000;
    await clock.advance(minute);
    expect(service.attempts.length).toBeLessThan(130);
  });

  it('counts by the service’s clock where ours is wrong', async () => {
    const { clock, service, refresher } = make();
    service.skew = -2 * 60 * minute;
    await refresher.start();
    await clock.advance(44 * minute);
    expect(service.attempts).toHaveLength(1);
    expect(keyOf(await refresher.get())).toBe('ASIA1');
    await clock.advance(2 * minute);
    expect(service.attempts).toHaveLength(2);
  });
});

describe('a refresher that was not started', () => {
  it('refreshes when it is asked: behind the caller’s back at first, and then while the caller waits', async () => {
    const { clock, service, refresher } = make();
    await refresher.get();
    await clock.advance(50 * minute);
    expect(service.attempts).toHaveLength(1);
    expect(keyOf(await refresher.get())).toBe('ASIA1');
    await clock.advance(0);
    expect(keyOf(await refresher.get())).toBe('ASIA2');
    await clock.advance(56 * minute);
    expect(keyOf(await refresher.get())).toBe('ASIA3');
  });

  it('gives the last good credentials when it waited in vain', async () => {
    const { clock, service, refresher } = make();
    await refresher.get();
    await clock.advance(56 * minute);
    service.failure = down();
    expect(keyOf(await refresher.get())).toBe('ASIA1');
    await clock.advance(5 * minute);
    await expectCode(() => refresher.get(), 'SERVICE_UNREACHABLE');
  });

  it('keeps nobody waiting for long while there is something valid, should the service not answer', async () => {
    const { clock, service, refresher } = make();
    await refresher.get();
    await clock.advance(56 * minute);
    service.delay = minute;
    const wait = refresher.get();
    await clock.advance(5000);
    expect(keyOf(await wait)).toBe('ASIA1');
    // The attempt goes on, and who has nothing else waits for its end.
    await clock.advance(minute);
    expect(keyOf(await refresher.get())).toBe('ASIA2');
    await clock.advance(61 * minute);
    const end = refresher.get();
    await clock.advance(minute);
    expect(keyOf(await end)).toBe('ASIA3');
  });

  it('hands nothing out that ends while it is waited', async () => {
    const { clock, service, refresher } = make(() => 0, 12);
    await refresher.get();
    await clock.advance(11_000);
    service.delay = minute;
    const wait = refresher.get();
    await clock.advance(minute);
    expect(keyOf(await wait)).toBe('ASIA2');
  });

  it('keeps nobody waiting whose like has waited for the same attempt already', async () => {
    const { clock, service, refresher } = make();
    await refresher.get();
    await clock.advance(56 * minute);
    service.delay = minute;
    void refresher.get();
    await clock.advance(4000);
    const late = refresher.get();
    await clock.advance(1000);
    expect(keyOf(await late)).toBe('ASIA1');
    const later = refresher.get();
    await clock.advance(0);
    expect(keyOf(await later)).toBe('ASIA1');
    expect(service.attempts).toHaveLength(2);
  });

  it('can be forced, by one request for all', async () => {
    const { clock, service, refresher } = make();
    await refresher.get();
    await clock.advance(minute);
    const all = await Promise.all([1, 2, 3].map(() => refresher.get({ forceRefresh: true })));
    expect(all.map(keyOf)).toEqual(['ASIA2', 'ASIA2', 'ASIA2']);
    await clock.advance(minute);
    service.failure = down();
    expect(keyOf(await refresher.get({ forceRefresh: true }))).toBe('ASIA2');
  });
});

describe('a service that is down', () => {
  it('fails the start', async () => {
    const { service, refresher, said } = make();
    service.failure = down();
    await expectCode(() => refresher.start(), 'SERVICE_UNREACHABLE');
    // Whoever started it tells.
    expect(said).toEqual([]);
  });

  it('is said to be so since its first failure, and when it is asked again', async () => {
    const { clock, service, refresher } = make(() => 1);
    await refresher.start();
    service.failure = down();
    await clock.advance(47.5 * minute);
    const since = clock.now();
    await clock.advance(3500);
    expect(refresher.state.failure).toMatchObject({
      since,
      attempts: 3,
      nextAttempt: new Date(since.getTime() + 7000),
    });
  });

  it('is asked every quarter of a minute, whatever way it fails', async () => {
    const codes = ['FAILED', 'TIMEOUT', 'UNREACHABLE'].map((end) => `SERVICE_${end}` as ErrorCode);
    for (const code of [...codes, 'TLS_UNTRUSTED', 'PROXY_FAILED'] as const) {
      const { clock, service, refresher } = make(() => 1);
      await refresher.start();
      service.failure = new RolesAnywhereError(code, 'it failed');
      await clock.advance(100 * minute);
      const [one = 0, other = 0] = service.attempts.slice(-2);
      expect([code, other - one]).toEqual([code, 15_000]);
    }
  });

  it('costs nobody the credentials that are still valid', async () => {
    const { clock, service, refresher, said } = make(() => 1);
    await refresher.start();
    service.failure = down();
    await clock.advance(59 * minute);
    expect(keyOf(await refresher.get())).toBe('ASIA1');
    expect(refresher.state).toMatchObject({ failure: { error: service.failure } });
    await clock.advance(2 * minute);
    await expectCode(() => refresher.get(), 'SERVICE_UNREACHABLE');
    expect(refresher.state.session).toBeUndefined();
    expect(said).toEqual(['warning: no fresh credentials: nothing listens']);
    service.failure = undefined;
    await clock.advance(20_000);
    await refresher.get();
    expect(refresher.state.failure).toBeUndefined();
    expect(said.slice(1)).toEqual([expect.stringMatching(/^note: credentials are fresh again/)]);
  });

  it.each([0, 0.3, 1])(
    'is asked at most twice a second, and within 20 s of its return (%d)',
    async (random) => {
      const { clock, service, refresher } = make(() => random);
      await refresher.start();
      service.failure = down();
      await clock.advance(55 * minute);
      // Whoever asks, and however often.
      for (let count = 0; count < 50; count += 1) {
        void refresher.refresh().catch(() => undefined);
        void refresher.get().catch(() => undefined);
        await clock.advance(100);
      }
      await clock.advance(10 * minute);
      const { attempts } = service;
      for (const [index, at] of attempts.entries()) {
        expect(at - (attempts[index - 1] ?? 0)).toBeGreaterThanOrEqual(500);
      }
      const before = attempts.length;
      service.failure = undefined;
      await clock.advance(20_000);
      expect(attempts.length).toBeGreaterThan(before);
      expect(refresher.state.session).toBeDefined();
    },
  );

  it('and lets us wait for each failure is asked again no later for that', async () => {
    const { clock, service, refresher } = make(() => 1);
    await refresher.start();
    service.failure = down();
    service.delay = 14_000;
    await clock.advance(60 * minute);
    const starts = service.attempts.slice(-10);
    for (const [index, at] of starts.slice(1).entries()) expect(at - (starts[index] ?? 0)).toBe(15_000);
    service.delay = 16_000;
    await clock.advance(10 * minute);
    const later = service.attempts.slice(-10);
    for (const [index, at] of later.slice(1).entries()) expect(at - (later[index] ?? 0)).toBe(16_500);
  });

  it('tells another reason, and that of another outage, again', async () => {
    const { clock, service, refresher, said } = make(() => 1);
    await refresher.start();
    for (const failure of [down(), refusal(), undefined, down()]) {
      service.failure = failure;
      await clock.advance(50 * minute);
    }
    expect(said.map((line) => line.replace(/,? after.*/, ''))).toEqual([
      'warning: no fresh credentials: nothing listens',
      'warning: no fresh credentials: the profile is disabled',
      'note: credentials are fresh again',
      'warning: no fresh credentials: nothing listens',
    ]);
  });

  it('tells the same reason once, whatever times and request ids it names', async () => {
    const { clock, service, refresher, said } = make(() => 1);
    await refresher.start();
    for (const id of ['0b8e-4f', 'a1c2-93', 'ffe0-11']) {
      service.failure = new RolesAnywhereError('SERVICE_REFUSED', `it is disabled (request id ${id})`);
      await clock.advance(50 * minute);
    }
    for (const age of ['9 seconds', '57 seconds']) {
      service.failure = new RolesAnywhereError('CERTIFICATE_EXPIRED', `it expired ${age} ago`);
      await clock.advance(2 * minute);
    }
    expect(said).toEqual([
      'warning: no fresh credentials: it is disabled (request id 0b8e-4f)',
      'warning: no fresh credentials: it expired 9 seconds ago',
    ]);
  });

  it('is given a single attempt while there is something to hand out, and all of them otherwise', async () => {
    const { clock, service, refresher } = make(() => 1);
    await refresher.start();
    service.failure = down();
    await clock.advance(70 * minute);
    expect(service.asked.at(0)?.once).toBe(false);
    expect(service.asked.at(1)?.once).toBe(true);
    expect(service.asked.at(-1)?.once).toBe(false);
  });
});

it('a refusal is asked again more patiently', async () => {
  const { clock, service, refresher } = make(() => 1);
  await refresher.start();
  service.failure = refusal();
  await clock.advance(100 * minute);
  const last = service.attempts.slice(-2);
  expect((last[1] ?? 0) - (last[0] ?? 0)).toBe(minute);
  service.failure = undefined;
  await clock.advance(minute);
  expect(refresher.state.failure).toBeUndefined();
});

it('a wrong PIN is not tried again by itself, nor by force, for that locks the token', async () => {
  const { clock, service, refresher } = make();
  await refresher.start();
  service.failure = new RolesAnywhereError('PASSWORD_WRONG', 'the PIN is wrong');
  await clock.advance(100 * minute);
  await expectCode(() => refresher.get({ forceRefresh: true }), 'PASSWORD_WRONG');
  expect(service.attempts).toHaveLength(2);
  expect(refresher.state.failure?.nextAttempt).toBeUndefined();
  service.failure = undefined;
  await refresher.refresh();
  expect(refresher.state.failure).toBeUndefined();
});

describe('the files of the source', () => {
  const directory = mkdtempSync(join(tmpdir(), 'refresher '));
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  it('are watched: what is written anew is used within 10 s, once all of it is there', async () => {
    const { clock, service, refresher } = make();
    const file = join(directory, 'leaf.pem');
    service.files = [file];
    await refresher.start();
    await clock.advance(minute);
    expect(service.attempts).toHaveLength(1);
    writeFileSync(file, 'one');
    await clock.advance(2000);
    writeFileSync(file, 'and the other');
    await clock.advance(1500);
    expect(service.attempts).toHaveLength(1);
    await clock.advance(5000);
    expect(service.attempts).toHaveLength(2);
    expect(service.asked.at(-1)?.fresh).toBe(true);
    await clock.advance(minute);
    expect(service.attempts).toHaveLength(2);
    rmSync(file);
    await clock.advance(10_000);
    expect(service.attempts).toHaveLength(3);
  });
});

it('ends with its disposal', async () => {
  const { clock, service, refresher } = make();
  await refresher.start();
  await refresher[Symbol.asyncDispose]();
  await clock.advance(24 * 60 * minute);
  expect(service.attempts).toHaveLength(1);
  expect(service.isDisposed).toBe(true);
});
