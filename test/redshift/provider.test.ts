import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { redshiftLogin, type RedshiftOptions } from '../../src/redshift/provider.ts';
import { failure } from '../aws/failure.ts';
import { localService, type Scripted } from '../aws/local-service.ts';
import { FakeClock } from '../support/fake-clock.ts';

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const minute = 60_000;
const aws = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'canary-secret' };
/** Good for 15 minutes, of which 10 pass until the next is due. */
const made = (password: string): Scripted => ({
  status: 200,
  body: `<GetClusterCredentialsResponse><GetClusterCredentialsResult><DbUser>IAM:etl</DbUser><DbPassword>${password}</DbPassword><Expiration>${new Date(Date.now() + 15 * minute).toISOString()}</Expiration></GetClusterCredentialsResult></GetClusterCredentialsResponse>`,
});
const refused = (requestId = 'id-0', words = 'not any more'): Scripted => ({
  status: 403,
  body: `<ErrorResponse><Error><Code>AccessDenied</Code><Message>${words}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
});
const denied = refused();

async function start(
  answers: readonly Scripted[],
  credentials: RedshiftOptions['credentials'] = () => Promise.resolve(aws),
) {
  const service = await localService(answers);
  vi.stubEnv('AWS_ENDPOINT_URL_REDSHIFT', `http://127.0.0.1:${service.port}`);
  const clock = new FakeClock();
  const warnings: string[] = [];
  const options: RedshiftOptions = {
    ...{ region: 'us-east-1', cluster: 'warehouse', dbUser: 'etl', host: 'h' },
    credentials,
    reporter: { warn: (text) => warnings.push(text), debug: () => undefined },
    clock,
  };
  const login = redshiftLogin(options);
  const password = async (more?: { forceRefresh: boolean }): Promise<string> =>
    (await login(more)).dbPassword;
  const close = async (): Promise<void> => {
    await service[Symbol.asyncDispose]();
  };
  const { port, received: asked } = service;
  return { port, clock, login, password, warnings, asked, [Symbol.asyncDispose]: close };
}

test('one call gives all who ask their login, until the next is due', async () => {
  await using it = await start([made('first'), made('second')]);
  const logins = await Promise.all(Array.from({ length: 30 }, () => it.login()));
  expect(logins[0]).toEqual({
    ...{ dbUser: 'IAM:etl', dbPassword: 'first', host: 'h', port: 5439, database: 'dev' },
    expiration: expect.any(Date) as Date,
  });
  expect(new Set(logins).size).toBe(1);
  await it.clock.advance(9.9 * minute);
  expect(await it.password()).toBe('first');
  expect(it.asked).toHaveLength(1);
  await it.clock.advance(0.2 * minute);
  expect(await Promise.all([it.password(), it.password()])).toEqual(['second', 'second']);
  expect(it.asked).toHaveLength(2);
});

test('forceRefresh fetches one now', async () => {
  await using it = await start([made('first'), made('second')]);
  await it.password();
  expect(await it.password({ forceRefresh: true })).toBe('second');
  expect(await it.password()).toBe('second');
});

test('while there is no new one the last is given, to its end, and the service is left in peace', async () => {
  await using it = await start([made('first'), denied]);
  await it.password();
  await it.clock.advance(11 * minute);
  for (let i = 0; i < 10; i++) expect(await it.password()).toBe('first');
  expect(it.asked).toHaveLength(2);
  expect(it.warnings).toEqual([expect.stringContaining('not any more')]);
  await it.clock.advance(0.5 * minute);
  expect(await it.password()).toBe('first');
  expect(it.asked).toHaveLength(3);
  await it.clock.advance(4 * minute);
  expect((await failure(() => it.login())).code).toBe('SERVICE_REFUSED');
});

test('why there is no new one is told once, and again after one that came', async () => {
  await using it = await start([
    ...[made('first'), refused('id-1'), refused('id-2'), refused('id-3', 'for good')],
    ...[made('second'), refused('id-4', 'for good')],
  ]);
  await it.password();
  await it.clock.advance(11 * minute);
  for (let i = 0; i < 3; i++) {
    expect(await it.password()).toBe('first');
    await it.clock.advance(0.5 * minute);
  }
  const both: unknown[] = [expect.stringContaining('not any more'), expect.stringContaining('for good')];
  expect(it.warnings).toEqual(both);
  expect(await it.password()).toBe('second');
  await it.clock.advance(11 * minute);
  expect(await it.password()).toBe('second');
  expect(it.warnings).toEqual([...both, both[1]]);
  expect(it.asked).toHaveLength(6);
});

test('a warning about the way to the service is told once, not at each login', async () => {
  await using it = await start([made('first'), made('second')]);
  vi.stubEnv('AWS_ENDPOINT_URL_REDSHIFT', 'http://service.test');
  vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${it.port}`);
  vi.stubEnv('NO_PROXY', undefined);
  expect(await it.password()).toBe('first');
  await it.clock.advance(11 * minute);
  expect(await it.password()).toBe('second');
  expect(it.warnings).toEqual([expect.stringContaining('service.test is asked without TLS')]);
});

test('but not beyond its end, nor to who wants another', async () => {
  await using it = await start([made('first'), denied]);
  await it.password();
  expect((await failure(() => it.login({ forceRefresh: true }))).code).toBe('SERVICE_REFUSED');
  await it.clock.advance(15 * minute - 5000);
  expect(await it.password()).toBe('first');
  await it.clock.advance(6000);
  expect((await failure(() => it.login())).code).toBe('SERVICE_REFUSED');
});

test("what the program's own source of AWS credentials says is not told, for it may hold a secret", async () => {
  let fails = false;
  const source = () => (fails ? Promise.reject(new TypeError('canary')) : Promise.resolve(aws));
  await using it = await start([made('first')], source);
  await it.password();
  await it.clock.advance(11 * minute);
  fails = true;
  expect(await it.password()).toBe('first');
  expect(it.warnings).toEqual([expect.stringContaining('TypeError')]);
  expect(it.warnings.join()).not.toContain('canary');
});

test('a mistake is told at once', async () => {
  const wrong: RedshiftOptions = {
    region: 'us-east-1',
    cluster: 'A',
    credentials: () => Promise.resolve(aws),
  };
  expect((await failure(() => redshiftLogin(wrong))).code).toBe('INVALID_ARGUMENT');
});
