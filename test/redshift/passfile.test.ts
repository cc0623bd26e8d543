import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DatabaseConnection } from '../../src/redshift/connection.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { keepPasswordFresh, type Renewable, writePassword } from '../../src/redshift/passfile.ts';
import { FakeClock } from '../support/fake-clock.ts';

let directory = '';
let file = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'passfile-'));
  file = join(directory, 'pgpass');
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const connection = (password: string, user = 'IAM:etl'): DatabaseConnection => ({
  host: 'h',
  port: 5439,
  database: 'dev',
  user,
  password,
  sslMode: 'verify-full',
  sslRootCert: { file: undefined, isGiven: false },
});
const contents = () => readFile(file, 'latin1');

test('a new file is for its owner alone', async () => {
  await writePassword(file, connection('a:b\\c'));
  expect(await contents()).toBe('h:5439:dev:IAM\\:etl:a\\:b\\\\c\n');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test.each([
  // Ahead of what fits everything.
  ['*:*:*:*:old\n', 'h:5439:dev:IAM\\:etl:new\n*:*:*:*:old\n'],
  // In its place, once.
  [
    '# é\nh:5439:dev:IAM\\:etl:old\nx:1:y:z:p\nh:5439:dev:IAM\\:etl:older\n',
    '# é\nh:5439:dev:IAM\\:etl:new\nx:1:y:z:p\n',
  ],
  // Others of nearly the same name, and a last line without its end.
  [
    'h:5439:dev:IAM\\:etl2:p\nh:54390:dev:IAM\\:etl:p',
    'h:5439:dev:IAM\\:etl:new\nh:5439:dev:IAM\\:etl2:p\nh:54390:dev:IAM\\:etl:p\n',
  ],
])('other lines stay: %j', async (before, after) => {
  await writeFile(file, before, 'latin1');
  await writePassword(file, connection('new'));
  expect(await contents()).toBe(after);
});

test('the password is replaced when its time comes, for as long as the command runs', async () => {
  const clock = new FakeClock();
  const minutes = (count: number): Date => new Date(clock.now().getTime() + count * 60_000);
  const signal = new AbortController();
  const warnings: (string | undefined)[][] = [];
  const reporter = {
    warn: (...words: (string | undefined)[]) => warnings.push(words),
    debug: () => undefined,
  };
  const first: Renewable = { connection: connection('first'), refreshAt: minutes(10) };
  const next = vi.fn<() => Promise<Renewable>>();
  await writePassword(file, first.connection);
  const kept = keepPasswordFresh({ file, first, next, signal: signal.signal, reporter, clock });

  await clock.advance(9.9 * 60_000);
  expect(next).not.toHaveBeenCalled();

  // The service is down: told once, tried again, and the file stays.
  const reason = 'no answer';
  next.mockRejectedValue(new RolesAnywhereError('SERVICE_TIMEOUT', reason, { hint: 'wait' }));
  await clock.advance(60_000);
  expect(next.mock.calls.length).toBeGreaterThan(2);
  expect(next.mock.calls.length).toBeLessThan(6);
  expect(warnings).toEqual([[expect.stringContaining(reason), 'wait']]);
  expect(await contents()).toContain(':first\n');

  // A foreign error may say anything.
  next.mockRejectedValue(new Error('canary'));
  await clock.advance(20_000);
  expect(warnings).toHaveLength(2);
  expect(warnings.flat().join()).not.toContain('canary');

  // Another process is getting a new one.
  next.mockResolvedValue(first);
  await clock.advance(20_000);
  expect(await contents()).toContain(':first\n');

  next.mockResolvedValue({ connection: connection('second'), refreshAt: minutes(20) });
  await clock.advance(20_000);
  await vi.waitFor(async () => {
    expect(await contents()).toContain(':second\n');
  });
  const calls = next.mock.calls.length;
  await clock.advance(15 * 60_000);
  expect(next.mock.calls).toHaveLength(calls);

  signal.abort();
  await kept;
  await clock.advance(60 * 60_000);
  expect(next.mock.calls).toHaveLength(calls);
});
