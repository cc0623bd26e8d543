import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cachedSessionSource } from '../../src/credentials/cached-session-source.ts';
import { Refresher } from '../../src/credentials/refresher.ts';
import type { OpenedSession, SessionSource } from '../../src/credentials/session-source.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';

const minute = 60_000;
let directory = '';
let clock: FakeClock;
let opened: number;
let isDown: boolean;
let isLastGood: boolean;
let warnings: string[];
let notAfter: Date;
/** CN=leaf, in DER. */
const subject = Uint8Array.from(Buffer.from('300f310d300b06035504030c046c656166', 'hex'));

beforeEach(() => {
  directory = path.join(mkdtempSync(path.join(tmpdir(), 'rolesanywhere-source-')), 'cache');
  clock = new FakeClock(new Date());
  [opened, isDown, isLastGood, warnings] = [0, false, false, []];
  notAfter = new Date(clock.now().getTime() + 30 * 24 * 60 * minute);
});

afterEach(() => {
  rmSync(path.dirname(directory), { recursive: true });
});

const reporter = { warn: (message: string) => warnings.push(message), debug: () => undefined };

/** The service, by a clock that is so far ahead of ours. */
function service(ahead: number, life: number): SessionSource {
  return {
    files: ['leaf.pem'],
    async open() {
      await clock.sleep(100);
      if (isDown) throw new RolesAnywhereError('SERVICE_UNREACHABLE', 'it is down');
      opened += 1;
      const now = clock.now().getTime() + ahead;
      const credentials = {
        accessKeyId: `ASIA${opened}`,
        secretAccessKey: 'secret',
        sessionToken: 'token',
        expiration: new Date(Math.floor((now + life) / 1000) * 1000),
      };
      const session = { credentials, roleArn: 'arn' };
      const certificate = { notBefore: new Date(0), notAfter, serialNumber: 0x1fn, subject };
      return {
        session,
        credentials,
        opened: new Date(now),
        skew: ahead,
        certificate,
        ...(isLastGood && { isLastGood }),
      };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** One process's. */
function cached({
  ahead = 0,
  life = 60 * minute,
  triesAgain = false,
  shape = () => Promise.resolve<string | undefined>('shape'),
} = {}) {
  const source = service(ahead, life);
  return cachedSessionSource({
    ...{ source, directory, shape, timeoutSeconds: 60, triesAgain, reporter, clock },
  });
}

async function open(source: SessionSource, options?: { readonly fresh?: boolean }): Promise<OpenedSession> {
  const session = source.open(options);
  session.catch(() => undefined);
  await clock.advance(300);
  return session;
}

it('gives every process the same session, as it was opened', async () => {
  const first = await open(cached());
  const second = await open(cached());
  expect(first.certificate).toMatchObject({ notAfter, serialNumber: 0x1fn });
  expect(second).toEqual(first);
  expect(opened).toBe(1);
  expect(cached().files).toEqual(['leaf.pem']);
});

it('tells who opened no session itself that the certificate of the one it gets will expire', async () => {
  notAfter = new Date(clock.now().getTime() + 24 * 60 * minute);
  await open(cached());
  expect(warnings).toEqual([]);
  await open(cached());
  expect(warnings).toEqual([expect.stringMatching(/^certificate CN=leaf \(serial 1F\) will expire at /)]);
});

it('gives nothing out twice, and what is fresh is no older than the asking', async () => {
  const [one, other] = [cached(), cached()];
  await open(one);
  await open(other);
  expect((await open(one)).credentials.accessKeyId).toBe('ASIA2');
  // The other's is now older than what is there.
  expect((await open(other)).credentials.accessKeyId).toBe('ASIA2');
  expect((await open(other)).credentials.accessKeyId).toBe('ASIA3');
  expect((await open(cached(), { fresh: true })).credentials.accessKeyId).toBe('ASIA4');
});

it('lasts no longer by a clock that is wrong', async () => {
  for (const ahead of [-60 * minute, 4 * minute, 60 * minute]) {
    const before = opened;
    const shape = () => Promise.resolve(`shape ${ahead}`);
    await open(cached({ ahead, shape }));
    await clock.advance(44 * minute);
    expect((await open(cached({ ahead, shape }))).credentials.accessKeyId).toBe(`ASIA${before + 1}`);
    await clock.advance(2 * minute);
    expect((await open(cached({ ahead, shape }))).credentials.accessKeyId).toBe(`ASIA${before + 2}`);
  }
});

it('is not shared, with one warning, where it cannot be told what shapes it', async () => {
  const source = cached({ shape: () => Promise.resolve(undefined) });
  await open(source);
  await open(source);
  expect(opened).toBe(2);
  expect(warnings).toHaveLength(1);
});

it('is not kept when its files changed while it was opened', async () => {
  let version = 0;
  await open(cached({ shape: () => Promise.resolve(String(version++)) }));
  await open(cached({ shape: () => Promise.resolve('0') }));
  expect(opened).toBe(2);
});

it('is not kept when it was opened with another certificate than the files hold now', async () => {
  isLastGood = true;
  expect((await open(cached())).credentials.accessKeyId).toBe('ASIA1');
  isLastGood = false;
  expect((await open(cached())).credentials.accessKeyId).toBe('ASIA2');
  expect((await open(cached())).credentials.accessKeyId).toBe('ASIA2');
});

it('keeps many daemons supplied by one call each time, through an outage too', async () => {
  const daemons = Array.from({ length: 3 }, () => {
    const source = cached({ triesAgain: true, life: 15 * minute });
    return new Refresher({ source, reporter, clock, random: () => 0.5 });
  });
  const started = daemons.map((daemon) => daemon.start());
  await clock.advance(1000);
  await Promise.all(started);
  expect(opened).toBe(1);
  for (let passed = 0; passed < 50; passed += 2) {
    await clock.advance(2 * minute);
    for (const daemon of daemons) expect(daemon.state.session).toBeDefined();
  }
  // One that ends after 15 minutes is renewed after 10 and some.
  expect(opened).toBe(5);
  expect(warnings).toEqual([]);

  isDown = true;
  await clock.advance(16 * minute);
  for (const daemon of daemons) expect(daemon.state.session).toBeUndefined();
  isDown = false;
  await clock.advance(20_000);
  for (const daemon of daemons) expect(daemon.state.session).toBeDefined();
  expect(opened).toBe(6);
  for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
});
