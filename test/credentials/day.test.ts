import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareSession } from '../../src/aws/create-session.ts';
import { daily } from '../../src/credentials/daily.ts';
import { Refresher } from '../../src/credentials/refresher.ts';
import { sessionSource } from '../../src/credentials/session-source.ts';
import type { OpenedSession, SessionSource } from '../../src/credentials/session-source.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import type { Issued } from '../support/pki.ts';

/*
 * A day in the life of a daemon: the real refresher and source against the real emulator, by a clock that runs faster.
 * Someone asks for credentials every ten seconds.
 */
const minute = 60_000;
const hour = 60 * minute;

const directory = mkdtempSync(join(tmpdir(), 'day '));
const [certificate, privateKey, ca] = ['leaf.pem', 'leaf.key', 'ca.pem'].map((name) =>
  join(directory, name),
) as [string, string, string];
const authority = makeAuthority();
const start = Date.now();
const nextMonth = new Date(start + 31 * 24 * hour);

const install = (leaf: Issued, key = leaf): void => {
  writeFileSync(certificate, leaf.certificatePem);
  writeFileSync(privateKey, key.privateKeyPem, { mode: 0o600 });
};

beforeAll(() => {
  writeFileSync(ca, authority.certificatePem);
  install(issue(authority, { notAfter: nextMonth }));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

it('a day in the life', { timeout: 60_000 }, async () => {
  const clock = new FakeClock(new Date(start));
  const began = clock.elapsed();
  /** The service's time, which nobody sets. */
  const serviceTime = (): number => start + clock.elapsed() - began;
  let emulator: Emulator | undefined;
  const sessions: number[] = [];
  const up = async (port = 0): Promise<number> => {
    emulator = await startEmulator({
      port,
      trustAnchors: [ca],
      now: () => new Date(serviceTime()),
      onRequest: ({ ok }) => {
        if (ok) sessions.push(clock.elapsed() - began);
      },
    });
    return Number(new URL(emulator.endpoint).port);
  };
  const port = await up();
  const down = async (): Promise<void> => {
    await emulator?.close();
    emulator = undefined;
  };

  const told: string[] = [];
  const calls: number[] = [];
  const reporter = {
    warn: (message: string) => told.push(message),
    note: (message: string) => told.push(message),
    debug: (message: string) => {
      if (message.startsWith('POST ')) calls.push(clock.elapsed() - began);
    },
  };
  const { trustAnchorArn, profileArn, roleArn } = emulator as unknown as Emulator;
  const endpoint = `http://127.0.0.1:${port}`;
  const source = sessionSource({
    identity: { certificate, privateKey },
    session: prepareSession({ endpoint, trustAnchorArn, profileArn, roleArn }),
    connection: {
      proxy: 'none',
      now: () => clock.now(),
      sleep: (milliseconds) => {
        clock.pass(milliseconds);
        return Promise.resolve();
      },
      reporter: daily(reporter, () => clock.now()),
    },
  });
  const tracked: SessionSource = {
    files: source.files,
    open: (options) => clock.during(source.open(options)),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
  await using refresher = new Refresher({ source: tracked, clock, reporter });
  await refresher.start();

  /** When nothing valid was to be had, and which session was the last before. */
  const gaps: number[] = [];
  let last: OpenedSession | undefined;
  const live = async (duration: number): Promise<void> => {
    const end = clock.elapsed() + duration;
    while (clock.elapsed() < end) {
      await clock.advance(Math.min(10_000, end - clock.elapsed()));
      try {
        last = await refresher.get();
        expect(last.credentials.expiration.getTime()).toBeGreaterThan(serviceTime());
      } catch {
        gaps.push(clock.elapsed() - began);
      }
    }
  };
  const outage = async (duration: number): Promise<{ calls: number; recovered: number }> => {
    await down();
    const seen = calls.length;
    await live(duration);
    await up(port);
    const back = clock.elapsed() - began;
    const made = calls.length - seen;
    await live(20_000);
    return { calls: made, recovered: (sessions.at(-1) ?? 0) - back };
  };

  // Hours of peace, then a minute and ten minutes without the service: nobody notices.
  await live(4 * hour);
  expect(told).toEqual([]);
  expect(sessions.length).toBe(calls.length);
  // A session lives an hour and is renewed in its 46th to 48th minute.
  expect(sessions.length).toBeGreaterThanOrEqual(5);
  expect(sessions.length).toBeLessThanOrEqual(6);
  await outage(minute);
  await live(hour);
  await outage(10 * minute);
  await live(hour);
  expect(gaps).toEqual([]);

  // Seventy minutes: longer than what is at hand can last. It lasts to its end, and the service is noticed at once.
  const before = last?.credentials.expiration.getTime() ?? 0;
  const long = await outage(70 * minute);
  expect(gaps.length).toBeGreaterThan(0);
  expect(Math.min(...gaps)).toBeGreaterThan(before - start);
  expect(Math.min(...gaps)).toBeLessThan(before - start + 20_000);
  expect(long.recovered).toBeLessThan(20_000);
  expect(long.calls / 70).toBeLessThan(40);
  expect(refresher.state.failure).toBeUndefined();
  for (const [index, at] of calls.entries()) {
    if (index > 1) expect(at - (calls[index - 2] ?? 0)).toBeGreaterThanOrEqual(1000);
  }

  // From here on there is no gap.
  const gapsOfOutage = gaps.length;
  await live(2 * hour);

  // A rotation, from P-256 to RSA, is used within ten seconds.
  const rotated = issue(authority, { keyType: 'rsa-2048', notAfter: nextMonth });
  install(rotated);
  await live(10_000);
  expect(last?.certificate?.serialNumber).toBe(rotated.serial);

  // A bad one is told once, and changes nothing for hours.
  told.length = 0;
  install(issue(authority), issue(authority));
  await live(3 * hour);
  expect(last?.certificate?.serialNumber).toBe(rotated.serial);
  expect(told).toHaveLength(1);
  const mended = issue(authority, { notAfter: nextMonth });
  install(mended);
  await live(10_000);
  expect(last?.certificate?.serialNumber).toBe(mended.serial);
  expect(told).toHaveLength(2);

  // The clock goes wrong by two hours, and is mended: one warning.
  told.length = 0;
  const [sessionsBefore, callsBefore] = [sessions.length, calls.length];
  clock.set(2 * hour);
  await live(3 * hour);
  clock.set(-2 * hour);
  await live(3 * hour);
  expect(told).toEqual([expect.stringMatching(/clock is 2 hours|clock is 120 minutes/u)]);
  // Learned and unlearned, each by one refusal.
  expect(calls.length - callsBefore - (sessions.length - sessionsBefore)).toBe(2);

  await live(start + 24 * hour - serviceTime());
  expect(gaps).toHaveLength(gapsOfOutage);
  expect(sessions.length).toBeGreaterThan(26);
  expect(sessions.length).toBeLessThan(40);
  await down();
});
