import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localService, type Received, type Scripted, sessionBody } from '../aws/local-service.ts';
import { issue, issueAuthority, pem, type Subject } from '../emulator/support/pki.ts';
import { run, type RunOptions } from '../support/command.ts';
import {
  commandWords,
  type EmulatorProcess,
  sessionWords,
  startEmulatorProcess,
} from '../support/emulator-process.ts';
import { type PkiFiles, writePki } from '../support/pki-files.ts';

let directory = '';
let pki: PkiFiles;
let emulator: EmulatorProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rolesanywhere redshift '));
  pki = await writePki(directory);
  emulator = await startEmulatorProcess(['--trust-anchor', pki.ca]);
});
afterAll(async () => {
  await emulator.close();
  await rm(directory, { recursive: true });
});

let caches = 0;
/** Nothing of other tests is in the cache. */
const newCache = (): string => join(directory, `cache-${caches++}`);

const words = (...more: readonly string[]): string[] => {
  const [, ...session] = sessionWords(emulator, pki.ec);
  return ['redshift', ...more.slice(0, 1), ...session, ...more.slice(1)];
};
const warehouse = ['--cluster', 'warehouse', '--db-user', 'etl'];
const env = (cache = newCache()): Record<string, string> => ({
  AWS_ENDPOINT_URL_REDSHIFT: emulator.endpoint,
  AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS: emulator.endpoint,
  ROLESANYWHERE_CACHE_DIR: cache,
});
const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe('redshift credentials', () => {
  it('prints one JSON object with the login as the API returned it', async () => {
    const { code, stdout, stderr } = await run(words('credentials', ...warehouse, '--auto-create'), {
      env: env(),
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\{.*\}\n$/);
    const login = parse(stdout);
    expect(Object.keys(login)).toEqual(['dbUser', 'dbPassword', 'expiration', 'host', 'port', 'database']);
    expect(login).toMatchObject({ dbUser: 'IAMA:etl', database: 'dev', port: expect.any(Number) as number });
    expect(login['expiration']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it('knows the role’s own user, and workgroups', async () => {
    const own = await run(words('credentials', '--cluster', 'warehouse'), { env: env() });
    expect(parse(own.stdout)).toMatchObject({ dbUser: 'IAMR:emulator' });
    const workgroup = await run(words('credentials', '--workgroup', 'reports', '--host', 'h'), {
      env: env(),
    });
    expect(parse(workgroup.stdout)).toMatchObject({ dbUser: 'IAMR:emulator', host: 'h', port: 5439 });
  });

  it('asks once for 30 processes that start together', async () => {
    const [before, described] = [
      await emulator.asked('GetClusterCredentials'),
      await emulator.asked('DescribeClusters'),
    ];
    const sessions = await emulator.asked('CreateSession');
    const shared = env();
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, () =>
        run(words('credentials', ...warehouse), { env: shared, timeout: 60_000 }),
      ),
    );
    for (const { code, stderr } of outcomes) expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(new Set(outcomes.map(({ stdout }) => stdout)).size).toBe(1);
    expect((await emulator.asked('GetClusterCredentials')) - before).toBe(1);
    expect((await emulator.asked('DescribeClusters')) - described).toBe(1);
    expect((await emulator.asked('CreateSession')) - sessions).toBe(1);
  });

  it('asks anew for whatever makes another login, of one session', async () => {
    const shared = env();
    const [before, sessions] = [
      await emulator.asked('GetClusterCredentials'),
      await emulator.asked('CreateSession'),
    ];
    const others = [
      [],
      ['--db-group', 'g'],
      ['--database', 'other'],
      ['--duration', '901'],
      ['--auto-create'],
      [],
    ];
    for (const other of others) await run(words('credentials', ...warehouse, ...other), { env: shared });
    expect((await emulator.asked('GetClusterCredentials')) - before).toBe(5);
    expect((await emulator.asked('CreateSession')) - sessions).toBe(1);
  });

  it('keeps what it shares to this user', async () => {
    const cache = newCache();
    await run(words('credentials', ...warehouse), { env: env(cache) });
    expect((await stat(cache)).mode & 0o777).toBe(0o700);
  });

  it('says once that it cannot share, for session and login', async () => {
    const cache = newCache();
    await mkdir(cache, { mode: 0o755 });
    const { code, stderr } = await run(words('credentials', ...warehouse), { env: env(cache) });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^rolesanywhere: warning: .*\nrolesanywhere: hint: .*\n$/);
  });

  it('shares nothing with --no-cache', async () => {
    const cache = newCache();
    const before = await emulator.asked('GetClusterCredentials');
    for (let i = 0; i < 2; i++)
      await run(words('credentials', ...warehouse, '--no-cache'), { env: env(cache) });
    expect((await emulator.asked('GetClusterCredentials')) - before).toBe(2);
    await expect(stat(cache)).rejects.toThrow('ENOENT');
  });

  it('shares nothing where ROLESANYWHERE_CACHE says so, and again with --cache', async () => {
    const shared = { ...env(), ROLESANYWHERE_CACHE: '0' };
    const [logins, sessions] = [
      await emulator.asked('GetClusterCredentials'),
      await emulator.asked('CreateSession'),
    ];
    for (const more of [[], [], ['--cache'], ['--cache']])
      await run(words('credentials', ...warehouse, ...more), { env: shared });
    expect((await emulator.asked('GetClusterCredentials')) - logins).toBe(3);
    expect((await emulator.asked('CreateSession')) - sessions).toBe(3);
  });

  it('says nothing of the password under --debug', async () => {
    const { stdout, stderr } = await run(words('credentials', ...warehouse, '--debug'), { env: env() });
    const { dbPassword } = parse(stdout);
    expect(stderr).toContain('attempt 1');
    expect(stderr).not.toContain(dbPassword as string);
  });
});

const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
const login = (password = 'canary-password', more = ''): Scripted => ({
  status: 200,
  body: `<GetClusterCredentialsWithIAMResponse><GetClusterCredentialsWithIAMResult><DbUser>IAMR:role</DbUser><DbPassword>${password}</DbPassword><Expiration>${inAnHour}</Expiration>${more}</GetClusterCredentialsWithIAMResult></GetClusterCredentialsWithIAMResponse>`,
});
const refusal = (code: string, message: string, status: number): Scripted => ({
  status,
  body: `<ErrorResponse><Error><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`,
});

const session = (accessKeyId: string): Scripted => ({ status: 201, body: sessionBody({ accessKeyId }) });
/** Who signed each request; of those for sessions, their path. */
const signers = (received: readonly Received[]): string[] =>
  received.map(({ url, headers }) => /Credential=(ASIA\w+)/.exec(headers.authorization ?? '')?.[1] ?? url);

describe('a session that the service finds expired', () => {
  const expired = refusal('ExpiredToken', 'The security token included in the request is expired', 403);
  const ask = async (answers: readonly Scripted[], more: readonly string[] = []) => {
    await using service = await localService(answers);
    const endpoint = `http://127.0.0.1:${service.port}`;
    const [, ...line] = sessionWords({ ...emulator, endpoint }, pki.ec);
    const shared = { ROLESANYWHERE_CACHE_DIR: newCache(), AWS_ENDPOINT_URL_REDSHIFT: endpoint };
    const login = () =>
      run(['redshift', 'credentials', '--cluster', 'c', '--host', 'h', ...line, ...more], { env: shared });
    const [first, second] = [await login(), await login()];
    return { first, second, keys: signers(service.received) };
  };

  it.each([
    ['shared', [], []],
    ['of its own', ['--no-cache'], ['/sessions', 'ASIASECOND']],
  ])('is renewed once: %s', async (_, more, again) => {
    const { first, second, keys } = await ask(
      [session('ASIAFIRST'), expired, session('ASIASECOND'), login(), session('ASIASECOND'), login()],
      more,
    );
    for (const { code, stderr } of [first, second]) expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(second.stdout).toBe(first.stdout);
    expect(keys).toEqual(['/sessions', 'ASIAFIRST', '/sessions', 'ASIASECOND', ...again]);
  });

  it('is not renewed for ever', async () => {
    const { first, keys } = await ask([session('ASIAFIRST'), expired, session('ASIASECOND'), expired]);
    expect(first).toMatchObject({ code: 4, stdout: '' });
    expect(first.stderr).toContain('ExpiredToken');
    expect(keys.slice(0, 4)).toEqual(['/sessions', 'ASIAFIRST', '/sessions', 'ASIASECOND']);
  });
});

it.each<[string, string[], string, string[]]>([
  ['shared', [], '', ['ASIAFIRST']],
  ['of its own', ['--no-cache'], '', ['ASIAFIRST']],
  ['replaced', [], 'cp -- "$0" "$1"; cp -- "$2" "$3"; ', ['/sessions', 'ASIASECOND']],
])(
  'one session is enough for login after login, while its certificate stays: %s',
  async (_, more, meanwhile, again) => {
    const soon = `<NextRefreshTime>${new Date(Date.now() + 2000).toISOString()}</NextRefreshTime>`;
    const answers = [session('ASIAFIRST'), login('first', soon), session('ASIASECOND'), login('second')];
    await using service = await localService(answers.filter((_, i) => i !== 2 || again.length > 1));
    const endpoint = `http://127.0.0.1:${service.port}`;
    const own = { certificate: join(directory, 'own.pem'), key: join(directory, 'own.key') };
    await copyFile(pki.ec.certificate, own.certificate);
    await copyFile(pki.ec.key, own.key);
    const [, ...line] = sessionWords({ ...emulator, endpoint }, own);
    const file = join(directory, 'pgpass of one session');
    const script = `${meanwhile}for i in $(seq 300); do grep -q :second "$PGPASSFILE" && exit 0; sleep 0.1; done; exit 1`;
    const { code, stderr } = await run(
      [
        ...['redshift', 'exec', '--cluster', 'c', '--host', 'h', ...line, ...more],
        ...['--refresh-pgpass', file, '--', 'sh', '-c', script],
        ...[pki.rsa.certificate, own.certificate, pki.rsa.key, own.key],
      ],
      { env: { ...env(), AWS_ENDPOINT_URL_REDSHIFT: endpoint } },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(signers(service.received)).toEqual(['/sessions', 'ASIAFIRST', ...again]);
  },
);

describe('with AWS credentials of the environment', () => {
  const line = ['redshift', 'credentials', '--cluster', 'warehouse', '--host', 'h'];
  const environment = (endpoint: string): Record<string, string> => ({
    AWS_ACCESS_KEY_ID: 'ASIAEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'canary-secret',
    AWS_SESSION_TOKEN: 'canary-token',
    AWS_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL_REDSHIFT: endpoint,
    ROLESANYWHERE_CACHE_DIR: newCache(),
  });
  const ask = async (
    answers: readonly Scripted[],
    more: readonly string[] = [],
    options: RunOptions = {},
  ) => {
    await using service = await localService(answers);
    const url = `http://127.0.0.1:${service.port}`;
    const outcome = await run([...line, ...more], {
      ...options,
      env: { ...environment(url), ...options.env },
    });
    return { ...outcome, received: service.received };
  };

  it('signs with them, for their region', async () => {
    const { code, stdout, received } = await ask([login()]);
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({ dbUser: 'IAMR:role', host: 'h', port: 5439 });
    expect(received[0]?.headers).toMatchObject({
      'x-amz-security-token': 'canary-token',
      authorization: expect.stringContaining('/eu-central-1/redshift/aws4_request') as string,
    });
  });

  it('shares nothing that came unchecked with who checks', async () => {
    await using service = await localService([login('first'), login('second')]);
    const shared = environment(`http://127.0.0.1:${service.port}`);
    const passwords = [];
    for (const more of [['--no-verify-ssl'], [], ['--no-verify-ssl'], []]) {
      passwords.push(parse((await run([...line, ...more], { env: shared })).stdout)['dbPassword']);
    }
    expect(passwords).toEqual(['first', 'second', 'first', 'second']);
  });

  it('waits out throttling, and says so', async () => {
    const throttled = Array.from({ length: 6 }, () => refusal('Throttling', 'Rate exceeded', 400));
    const { code, stderr, received } = await ask([...throttled, login()]);
    expect(code).toBe(0);
    expect(received).toHaveLength(7);
    expect(stderr).toMatch(/^rolesanywhere: warning: [^\n]*Rate exceeded[^\n]*\n$/);
  });

  it('gives up throttling at the end of --timeout', async () => {
    const { code, stdout, stderr } = await ask(
      [refusal('Throttling', 'Rate exceeded', 400)],
      ['--timeout', '2'],
    );
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toContain('Rate exceeded');
  });

  it('is told of a refusal, in the service’s words, and the cure', async () => {
    const denied = refusal('AccessDenied', 'User: arn:x is not authorized to perform: redshift:Get', 403);
    const { code, stdout, stderr } = await ask([denied]);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    for (const fact of ['not authorized', 'AccessDenied', 'r-1', 'redshift policy'])
      expect(stderr).toContain(fact);
    expect(stderr).not.toContain('canary');
  });

  it('is told that they have expired, by one request', async () => {
    const expired = refusal('ExpiredToken', 'The security token included in the request is expired', 403);
    const { code, stderr, received } = await ask([expired]);
    expect([code, received.length]).toEqual([4, 1]);
    expect(stderr).toContain('get new AWS credentials');
  });

  it('is told that nobody is there', async () => {
    const gone = await localService([]);
    await gone[Symbol.asyncDispose]();
    const { code, stderr } = await run([...line, '--timeout', '2'], {
      env: environment(`http://127.0.0.1:${gone.port}`),
    });
    expect(code).toBe(5);
    expect(stderr).toContain('nothing listens');
  });

  it('is told of an authority that nobody knows', async () => {
    const [cert, key] = await Promise.all(
      [pki.server.certificate, pki.server.key].map((file) => readFile(file, 'utf8')),
    );
    await using service = await localService([login()], { cert: cert ?? '', key: key ?? '' });
    const { code, stderr } = await run(line, { env: environment(`https://127.0.0.1:${service.port}`) });
    expect(code).toBe(5);
    expect(stderr).toContain('--ca-bundle');
  });

  it.each([
    ['none', { AWS_ACCESS_KEY_ID: '' }],
    ['no region', { AWS_REGION: '' }],
  ])('is told that there are %s', async (_, without) => {
    const { code, stdout, received } = await ask([login()], [], { env: without });
    expect({ code, stdout, asked: received.length }).toEqual({ code: 2, stdout: '', asked: 0 });
  });

  it('refreshes a password file while the command runs', async () => {
    const file = join(directory, 'pgpass');
    await writeFile(file, '# mine\nother:5439:*:me:secret\n');
    await chmod(file, 0o644);
    const soon = new Date(Date.now() + 3000).toISOString();
    const answers = [login('first', `<NextRefreshTime>${soon}</NextRefreshTime>`), login('second')];
    await using service = await localService(answers);
    const script = `echo "$PGPASSFILE $PGUSER \${PGPASSWORD-without}"; cp "$PGPASSFILE" "$PGPASSFILE.first"
      for i in $(seq 300); do grep -q :second "$PGPASSFILE" && break; sleep 0.1; done; cat "$PGPASSFILE"`;
    const { code, stdout, stderr } = await run(
      ['redshift', 'exec', ...line.slice(2), '--refresh-pgpass', file, '--', 'sh', '-c', script],
      {
        env: { ...environment(`http://127.0.0.1:${service.port}`), PGPASSWORD: 'x', PGPASSFILE: '/nowhere' },
      },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = (password: string): string =>
      `h:5439:dev:IAMR\\:role:${password}\n# mine\nother:5439:*:me:secret\n`;
    expect(stdout).toBe(`${file} IAMR:role without\n${lines('second')}`);
    expect(await readFile(`${file}.first`, 'utf8')).toBe(lines('first'));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

describe('redshift url', () => {
  it.each([
    ['json', /^\{"dbUser":"IAM:etl","dbPassword":/],
    ['env', /^export PGHOST='/],
    ['uri', /^postgresql:\/\/IAM%3Aetl:[^@]+@[^@]+\/dev\?sslmode=verify-full&sslrootcert=/],
    ['jdbc', /^jdbc:redshift:\/\/[^?]+\?sslmode=verify-full&UID=IAM%3Aetl&PWD=[^&]+$/m],
    ['odbc', /^Driver=\{Amazon Redshift ODBC Driver \(x64\)\};Server=.*;SSLMode=verify-full$/m],
    ['pgpass', /^[^:]+:\d+:dev:IAM\\:etl:./],
    ['psycopg', /^\{"host":/],
    ['redshift-connector', /"ssl":true,"sslmode":"verify-full"\}$/m],
  ])('--format %s', async (format, form) => {
    const { code, stdout, stderr } = await run(words('url', ...warehouse, '--format', format), {
      env: env(),
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(form);
    expect(stdout.endsWith('\n')).toBe(true);
  });

  it('is a URI unless asked for something else, and goes without a password', async () => {
    const shared = env();
    const whole = await run(words('url', ...warehouse), { env: shared });
    const { stdout } = await run(words('url', ...warehouse, '--no-password'), { env: shared });
    expect(whole.stdout.replace(/:[^:@]+@/, '@')).toBe(stdout);
    const json = await run(words('url', ...warehouse, '--no-password', '--format', 'json'), { env: shared });
    expect(Object.keys(parse(json.stdout))).not.toContain('dbPassword');
  });

  it.each(['uri', 'env', 'jdbc', 'psycopg', 'odbc', 'redshift-connector', 'pgpass', 'json'])(
    '--format %s has the authorities that were named, or says that it has not',
    async (format) => {
      const line = ['--workgroup', 'www', '--format', format, '--sslrootcert', pki.ca];
      const { code, stdout, stderr } = await run(words('url', ...line), { env: env() });
      expect(code).toBe(0);
      const isTold = decodeURIComponent(stdout.replace(/%(?![0-9A-F]{2})/g, '%25')).includes(pki.ca);
      expect(stderr.includes('cannot say --sslrootcert')).toBe(!isTold);
      expect(isTold).toBe(!['odbc', 'redshift-connector', 'pgpass', 'json'].includes(format));
    },
  );

  it('warns of what does not verify', async () => {
    const { code, stdout, stderr } = await run(words('url', ...warehouse, '--sslmode', 'require'), {
      env: env(),
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/\?sslmode=require\n$/);
    expect(stderr).toContain('warning: with --sslmode require');
  });
});

it('redshift env: a shell evaluates it', async () => {
  const script = `set -eu; eval "$("$@")"; printf '%s\\n' "$PGUSER" "$PGSSLMODE" "$PGPASSWORD" "\${PGSERVICE-}\${PGHOSTADDR-}"`;
  const shared = env();
  const child = spawn('sh', ['-c', script, 'sh', ...commandWords(), ...words('env', ...warehouse)], {
    // Other variables shall lead nobody elsewhere.
    env: { PATH: process.env['PATH'], ...shared, PGSERVICE: 'other', PGHOSTADDR: '192.0.2.1' },
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  await once(child, 'close');
  const login = parse((await run(words('credentials', ...warehouse), { env: shared })).stdout);
  expect(stdout).toBe(`IAM:etl\nverify-full\n${String(login['dbPassword'])}\n\n`);
});

describe('redshift exec', () => {
  it('runs a command with the login, and ends with its exit code', async () => {
    const script = 'env | grep ^PG | sort; cat; echo oops >&2; exit 42';
    const { code, stdout, stderr } = await run(words('exec', ...warehouse, '--', 'sh', '-c', script), {
      env: { ...env(), PGHOSTADDR: '192.0.2.1', PGSERVICE: 'other', PGUSER: 'me' },
      input: 'from stdin\n',
    });
    expect({ code, stderr }).toEqual({ code: 42, stderr: 'oops\n' });
    const names = stdout.split('\n').map((line) => line.split('=')[0]);
    expect(names).toEqual([
      ...['PGDATABASE', 'PGHOST', 'PGPASSWORD', 'PGPORT', 'PGSSLMODE', 'PGSSLROOTCERT', 'PGUSER'],
      ...['from stdin', ''],
    ]);
    expect(stdout).toContain('PGUSER=IAM:etl\n');
  });

  it('shows the password to no list of processes', async () => {
    // grep's own pattern comes from the environment by a file, not by its arguments.
    const script = `printf %s "$PGPASSWORD" > "$0"; ls /proc | grep -c '^[0-9]'
      for each in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < "$each" 2>/dev/null; echo; done | grep -F -f "$0" | wc -l`;
    const { stdout } = await run(
      words('exec', ...warehouse, '--', 'sh', '-c', script, join(directory, 'pattern')),
      {
        env: env(),
      },
    );
    const [processes, found] = stdout.trim().split('\n');
    expect(Number(processes)).toBeGreaterThan(2);
    expect(found?.trim()).toBe('0');
    expect((await readFile(join(directory, 'pattern'), 'utf8')).length).toBeGreaterThan(20);
  });

  it.each([
    ['no such command', 'no-such-command'],
    ['no such command', ''],
    ['no such file', '/etc/passwd/x'],
    ['permission denied', '/etc/passwd'],
    ['the name is too long', `/${'x'.repeat(5000)}`],
  ])('says why it cannot run a command: %s', async (why, command) => {
    const { code, stderr } = await run(words('exec', ...warehouse, '--', command), { env: env() });
    expect(code).toBe(6);
    expect(stderr).toBe(`rolesanywhere: error: cannot run ${command}: ${why}\n`);
  });

  /** Without a terminal, wherever the tests run. */
  const started = (script: string) => {
    const [program, ...first] = commandWords();
    const child = spawn(program, [...first, ...words('exec', ...warehouse, '--', 'sh', '-c', script)], {
      env: { PATH: process.env['PATH'], ...env() },
      detached: true,
    });
    return { child, lines: createInterface(child.stdout), ended: once(child, 'close') };
  };

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGQUIT'] as const)('passes %s on', async (signal) => {
    const script = `trap 'echo caught; exit 7' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
    const { child, lines, ended } = started(script);
    const next = async (): Promise<unknown> =>
      ((await Promise.race([once(lines, 'line'), ended])) as unknown[])[0];
    expect(await next()).toBe('ready');
    child.kill(signal);
    expect(await next()).toBe('caught');
    expect(await ended).toEqual([7, null]);
  });

  it.each([
    ['TERM', [null, 'SIGTERM']],
    ['INT', [null, 'SIGINT']],
    ['KILL', [137, null]],
    ['SEGV', [139, null]],
  ])('ends as a command does that died by SIG%s', async (signal, ending) => {
    expect(await started(`kill -${signal} $$`).ended).toEqual(ending);
  });
});

it('redshift connect: runs psql with its arguments, and says what to do without one', async () => {
  const psql = join(directory, 'psql');
  await writeFile(psql, '#!/bin/sh\necho "$PGUSER $*"; exit 3\n', { mode: 0o755 });
  const shared = env();
  const { code, stdout } = await run(words('connect', ...warehouse, '--', '-c', 'select 1', '--help'), {
    env: { ...shared, PATH: `${directory}:${process.env['PATH'] ?? ''}` },
  });
  expect({ code, stdout }).toEqual({ code: 3, stdout: 'IAM:etl -c select 1 --help\n' });
  const missing = await run(words('connect', ...warehouse), { env: { ...shared, PATH: '/nowhere' } });
  expect(missing.code).toBe(6);
  expect(missing.stderr).toContain('postgresql-client');
});

describe('redshift policy', () => {
  it('prints what this command line needs, and asks nobody', async () => {
    const before = await emulator.output();
    const { code, stdout, stderr } = await run(words('policy', ...warehouse, '--db-group', 'readers'), {});
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { policy, trustPolicy } = JSON.parse(stdout) as Record<string, unknown>;
    expect(policy).toMatchObject({ Version: '2012-10-17' });
    expect(stdout).toContain('arn:aws:redshift:us-east-1:123456789012:dbgroup:warehouse/readers');
    expect(JSON.stringify(trustPolicy)).toContain('"aws:PrincipalTag/x509Subject/CN":');
    expect(await emulator.output()).toBe(before);
  });

  it.each<[string, Subject, string | undefined]>([
    ['a name with commas', [['CN', 'etl, "the" 1+\\']], 'etl, "the" 1+\\'],
    [
      'another attribute that looks like a name',
      [
        ['O', 'a,CN=root'],
        ['CN', 'etl'],
      ],
      'etl',
    ],
    ['that alone', [['O', 'a,CN=root']], undefined],
    [
      'two names',
      [
        ['CN', 'a'],
        ['CN', 'b'],
      ],
      undefined,
    ],
  ])('lets in the subject’s name: %s', async (_, subject, name) => {
    const certificate = join(directory, 'subject.pem');
    await writeFile(certificate, pem(issue({ by: issueAuthority('Root'), subject })));
    const { stdout, stderr } = await run(words('policy', ...warehouse, '--certificate', certificate), {});
    const { trustPolicy } = JSON.parse(stdout) as {
      trustPolicy: { Statement: [{ Condition: { StringEquals?: Record<string, string> } }] };
    };
    const [{ Condition }] = trustPolicy.Statement;
    expect(Condition.StringEquals?.['aws:PrincipalTag/x509Subject/CN']).toBe(name);
    expect(stderr.includes('lets every certificate')).toBe(name === undefined);
  });

  it.each(['--role-arn', '--trust-anchor-arn'])('wants %s', async (option) => {
    const all = ['--role-arn', emulator.roleArn, '--trust-anchor-arn', emulator.trustAnchorArn];
    const at = all.indexOf(option);
    const rest = all.filter((_, i) => i !== at && i !== at + 1);
    const line = ['redshift', 'policy', '--cluster', 'warehouse', '--region', 'us-east-1', ...rest];
    const { code, stderr } = await run(line, {});
    expect(code).toBe(2);
    expect(stderr).toContain(`missing ${option}`);
  });
});

describe('mistakes are told before anything is asked', () => {
  it.each([
    ['--db-group without --db-user', ['--cluster', 'c', '--db-group', 'g']],
    ['--cluster with --workgroup', ['--cluster', 'c', '--workgroup', 'www']],
    ['no database at all', []],
    ['a name that the API would refuse', ['--cluster', 'Warehouse']],
    ['a reserved word', ['--cluster', 'c', '--database', 'user']],
    ['a duration out of range', ['--cluster', 'c', '--duration', '7200']],
    ['a port out of range', ['--cluster', 'c', '--port-db', '65536']],
  ])('%s', async (_, mistake) => {
    const before = await emulator.output();
    const { code, stdout, stderr } = await run(words('credentials', ...mistake), { env: env() });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: .+\nrolesanywhere: hint: .+\n$/);
    expect(await emulator.output()).toBe(before);
  });

  it.each([
    [
      'half a session',
      ['credentials', '--cluster', 'c', '--certificate', 'leaf.pem'],
      'missing --trust-anchor-arn',
    ],
    ['an unknown format', ['url', '--cluster', 'c', '--format', 'xml'], '--format takes no xml'],
    [
      'a password file without a password',
      ['url', '--cluster', 'c', '--format', 'pgpass', '--no-password'],
      'pgpass',
    ],
    ['an unknown sslmode', ['env', '--cluster', 'c', '--sslmode', 'full'], '--sslmode takes no full'],
    ['no command', ['exec', '--cluster', 'c'], 'no COMMAND behind --'],
    ['psql’s options without --', ['connect', '--cluster', 'c', '-c', 'select 1'], 'write -- before'],
    ['a command without --', ['exec', '--cluster', 'c', 'ls'], 'unknown word: ls'],
    ['an unknown command', ['conect'], 'did you mean redshift connect?'],
    ['nothing', [], 'no command behind redshift'],
  ])('%s', async (_, line, words) => {
    const { code, stdout, stderr } = await run(['redshift', ...line], { env: env() });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(words);
  });

  it('authorities that are not there', async () => {
    const { code } = await run(words('url', ...warehouse, '--sslrootcert', '/no/such/file'), { env: env() });
    expect(code).toBe(6);
  });
});
