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
  // Once, and ahead of what fits everything wherever it was.
  [
    '# é\nh:5439:dev:IAM\\:etl:old\n*:*:*:*:p\nh:5439:dev:IAM\\:etl:older\n',
    'h:5439:dev:IAM\\:etl:new\n# é\n*:*:*:*:p\n',
  ],
  ['*:*:*:*:p\nh:5439:dev:IAM\\:etl:old\n', 'h:5439:dev:IAM\\:etl:new\n*:*:*:*:p\n'],
  // What only speaks of it.
  [
    '# h:5439:dev:IAM\\:etl:p\nx.h:5439:dev:IAM\\:etl:p\n',
    'h:5439:dev:IAM\\:etl:new\n# h:5439:dev:IAM\\:etl:p\nx.h:5439:dev:IAM\\:etl:p\n',
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

  // The service refuses: told once, tried again, and the file stays.
  const reason = 'no more, request id 4af2-';
  next.mockImplementation(() =>
    Promise.reject(
      new RolesAnywhereError('SERVICE_REFUSED', `${reason}${next.mock.calls.length}`, { hint: 'wait' }),
    ),
  );
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
  // The file is there before its writer goes on: until the folder is on the disk too.
  await vi.waitFor(
    () => {
      expect(clock.isAwaited).toBe(true);
    },
    { timeout: 20_000 },
  );
  expect(await contents()).toContain(':second\n');
  const calls = next.mock.calls.length;
  await clock.advance(15 * 60_000);
  expect(next.mock.calls).toHaveLength(calls);

  // The same once more is news, after what went well.
  next.mockRejectedValue(new Error('canary'));
  await clock.advance(6 * 60_000);
  expect(warnings).toHaveLength(3);
  const atEnd = next.mock.calls.length;

  signal.abort();
  await kept;
  await clock.advance(60 * 60_000);
  expect(next.mock.calls).toHaveLength(atEnd);
});

test('a command that ends is kept up by nothing that the service has yet to answer', async () => {
  const clock = new FakeClock();
  const signal = new AbortController();
  const warn = vi.fn<() => void>();
  const next = vi.fn(() => new Promise<Renewable>(() => undefined));
  const first: Renewable = { connection: connection('first'), refreshAt: clock.now() };
  const kept = keepPasswordFresh({
    ...{ file, first, next, clock },
    signal: signal.signal,
    reporter: { warn, debug: warn },
  });
  await clock.advance(1);
  expect(next).toHaveBeenCalledOnce();
  signal.abort();
  await kept;
  expect(warn).not.toHaveBeenCalled();
});

test('the time that the machine slept, and a time of day that was set, are seen', async () => {
  const clock = new FakeClock();
  const signal = new AbortController();
  const reporter = { warn: () => undefined, debug: () => undefined };
  const first: Renewable = {
    connection: connection('first'),
    refreshAt: new Date(clock.now().getTime() + 600_000),
  };
  const next = vi.fn(() => Promise.resolve(first));
  const kept = keepPasswordFresh({ file, first, next, signal: signal.signal, reporter, clock });
  await clock.advance(0);
  clock.set(-3_600_000);
  await clock.suspend(599_000);
  expect(next).not.toHaveBeenCalled();
  await clock.advance(2000);
  expect(next).toHaveBeenCalledOnce();
  signal.abort();
  await kept;
});
