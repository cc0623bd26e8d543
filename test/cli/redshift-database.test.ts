import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localService, type Scripted } from '../aws/local-service.ts';
import { run, runProgram } from '../support/command.ts';
import {
  commandWords,
  type EmulatorProcess,
  sessionWords,
  shellCommand,
  startEmulatorProcess,
} from '../support/emulator-process.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { requirePart } from '../support/system-parts.ts';

/*
 * The whole way as docs/redshift.md has it: its certificates, an emulator that lets what it issues into a real database,
 * and real clients that log in there.
 */

let directory = '';
/** The page's commands for a shell, in their order. */
let blocks: readonly string[] = [];
let postgres: Postgres;
let emulator: EmulatorProcess;
let env: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'redshift database '));
  postgres = await startPostgres();
  await postgres.sql('create role etl');
  blocks = (await readFile('docs/redshift.md', 'utf8')).match(/(?<=^```sh\n)[^]*?(?=^```)/gm) ?? [];
  const made = await runProgram('sh', ['-euc', blocks[0] ?? ''], { cwd: directory });
  expect(made.code).toBe(0);
  emulator = await startEmulatorProcess([
    ...['--trust-anchor', join(directory, 'ca.pem'), '--postgres-url', postgres.url],
  ]);
  // For programs that call the command by its name.
  const shim = join(directory, 'rolesanywhere');
  await writeFile(shim, `#!/bin/sh\nexec ${shellCommand} "$@"\n`);
  await chmod(shim, 0o755);
  env = {
    AWS_ENDPOINT_URL_REDSHIFT: emulator.endpoint,
    AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS: emulator.endpoint,
    AWS_ENDPOINT_URL_STS: emulator.endpoint,
    ROLESANYWHERE_CACHE_DIR: join(directory, 'cache'),
    PATH: `${directory}:${process.env['PATH'] ?? ''}`,
  };
});
afterAll(async () => {
  await emulator.close();
  await postgres[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const session = (): string[] =>
  sessionWords(emulator, {
    certificate: join(directory, 'leaf.pem'),
    key: join(directory, 'leaf.key'),
  }).slice(1);
const warehouse = ['--cluster', 'warehouse', '--db-user', 'etl'];
const trusted = () => ['--sslrootcert', postgres.authority];
const question = ['--', '-XAtc', 'select current_user'];

describe('docs/redshift.md', () => {
  it('leads from the trust anchor to a program that is logged in, as it stands', async () => {
    // AWS's own command, with somebody who takes all that it asks for.
    const done: Scripted[] = [
      { body: JSON.stringify({ trustAnchor: { trustAnchorArn: emulator.trustAnchorArn } }) },
      { body: '<CreateRoleResponse><CreateRoleResult><Role/></CreateRoleResult></CreateRoleResponse>' },
      { body: '<PutRolePolicyResponse/>' },
      { body: JSON.stringify({ profile: { profileArn: emulator.profileArn } }) },
    ];
    await using service = await localService(done);
    const aws = `#!/bin/sh
      export AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_DEFAULT_REGION=us-east-1
      exec '${requirePart('aws')}' "$@" --endpoint-url http://127.0.0.1:${service.port}`;
    await writeFile(join(directory, 'aws'), aws, { mode: 0o755 });
    await writeFile(join(directory, 'etl.py'), 'import os; print("a program of", os.environ["PGUSER"])');
    const script = blocks
      .slice(1)
      .join('')
      .replace(/^ROLE=.*$/m, `ROLE=${emulator.roleArn}`)
      // What the emulator and its database are, and Amazon's are not.
      .replace('redshift "$action"', `redshift "$action" --endpoint ${emulator.endpoint}`)
      .replaceAll(/^(warehouse \w+)/gm, `$1 --sslrootcert '${postgres.authority}'`);
    const { code, stdout, stderr } = await runProgram('sh', ['-euc', script], { cwd: directory, env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('select current_user: IAM:etl');
    expect(stdout).toMatch(/a program of IAM:etl\n$/);
    const asked = service.received.map(
      ({ url, body }) => url.slice(1) || new URLSearchParams(body).get('Action'),
    );
    expect(asked).toEqual(['trustanchors', 'CreateRole', 'PutRolePolicy', 'profiles']);
    const [anchor, role, policy] = service.received.map(({ body }) => body);
    expect(anchor).toContain(JSON.stringify(await readFile(join(directory, 'ca.pem'), 'utf8')).slice(1, 60));
    expect(new URLSearchParams(role).get('AssumeRolePolicyDocument')).toContain(emulator.trustAnchorArn);
    expect(new URLSearchParams(policy).get('PolicyDocument')).toContain('redshift:GetClusterCredentials');
  });
});

describe('redshift connect', () => {
  it.each([
    ['a user that is there', warehouse, 'IAM:etl'],
    ['a user that is made', ['--cluster', 'warehouse', '--db-user', 'made', '--auto-create'], 'IAMA:made'],
    ['the role’s own user', ['--cluster', 'warehouse'], 'IAMR:emulator'],
    ['a workgroup', ['--workgroup', 'reports'], 'IAMR:emulator'],
  ])('psql logs in as %s', async (_, database, user) => {
    const line = ['redshift', 'connect', ...session(), ...database, ...trusted(), ...question];
    expect(await run(line, { env })).toMatchObject({ code: 0, stdout: `${user}\n`, stderr: '' });
  });

  it('psql refuses a server of another authority', async () => {
    const { code, stderr } = await run(['redshift', 'connect', ...session(), ...warehouse, ...question], {
      env,
    });
    expect(code).toBe(2);
    expect(stderr).toContain('certificate verify failed');
  });

  it('ends with psql’s own exit code', async () => {
    const line = ['redshift', 'connect', ...session(), ...warehouse, ...trusted()];
    const failing = ['--', '-X', '-v', 'ON_ERROR_STOP=1'];
    expect((await run([...line, ...failing], { env, input: 'select 1/0;' })).code).toBe(3);
  });

  it('shows the password to no list of processes while psql is there', async () => {
    const { stdout: json } = await run(['redshift', 'credentials', ...session(), ...warehouse], { env });
    const { dbPassword } = JSON.parse(json) as { dbPassword: string };
    const line = ['redshift', 'connect', ...session(), ...warehouse, ...trusted(), '--', '-XAt'];
    const [program, ...first] = commandWords();
    const child = spawn(program, [...first, ...line], { env });
    const ended = once(child, 'close');
    child.stdin.write('select current_user;\n');
    await once(child.stdout, 'data');
    const lists = await runProgram(requirePart('bash'), [
      '--norc',
      '-c',
      `for each in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < "$each"; echo; done 2>/dev/null`,
    ]);
    child.stdin.end();
    await ended;
    expect(lists.stdout).toContain('psql');
    expect(lists.stdout).not.toContain(dbPassword);
  });
});

describe('redshift check', () => {
  const check = (...more: readonly string[]) =>
    run(['redshift', 'check', ...session(), ...more], { env: { ...env, ROLESANYWHERE_CACHE: '1' } });
  const steps = (stdout: string): string[] =>
    stdout.split('\n').flatMap((line) => /^([A-Za-z]+):/.exec(line)?.[1] ?? []);
  const whole = [
    'certificate',
    'session',
    'caller',
    'permission',
    'database',
    'host',
    'port',
    'TLS',
    'login',
  ];

  it('says what holds at each step', async () => {
    const { code, stdout, stderr } = await check(...warehouse, ...trusted());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(steps(stdout)).toEqual(whole);
    for (const fact of [
      'CN=etl-1',
      ':assumed-role/emulator/',
      'IAM:etl',
      '127.0.0.1',
      'TLSv1.3',
      'certificate by Database Root',
    ]) {
      expect(stdout).toContain(fact);
    }
  });

  it.each<[string, () => readonly string[], number, string, string]>([
    [
      'a wrong trust policy',
      () => [...warehouse, '--role-arn', 'arn:aws:iam::123456789012:role/other'],
      4,
      'certificate',
      'redshift policy',
    ],
    ['a wrong authority', () => warehouse, 5, 'port', '--sslrootcert'],
    [
      'another name',
      () => [...warehouse, ...trusted(), '--host', '127.0.0.1', '--port-db', String(postgres.port)],
      5,
      'port',
      '--custom-domain',
    ],
    [
      'a closed port',
      () => [...warehouse, ...trusted(), '--host', 'localhost', '--port-db', '1'],
      7,
      'host',
      'security group',
    ],
    [
      'no such host',
      () => [...warehouse, ...trusted(), '--host', 'no.such.host.invalid'],
      7,
      'database',
      'private endpoint',
    ],
    [
      'a user that is not there',
      () => ['--cluster', 'warehouse', '--db-user', 'nobody', ...trusted()],
      7,
      'TLS',
      '--auto-create',
    ],
    [
      'a database that is not there',
      () => [...warehouse, '--database', 'nowhere', ...trusted()],
      7,
      'TLS',
      '--database',
    ],
    [
      'a group that is not there',
      () => [...warehouse, '--db-group', 'nobodys', ...trusted()],
      7,
      'TLS',
      'no such group',
    ],
    ['a server that wants TLS', () => [...warehouse, '--sslmode', 'disable'], 7, 'port', '--sslmode out'],
    [
      'another service on the port',
      () => [...warehouse, ...trusted(), '--host', '127.0.0.1', '--port-db', new URL(emulator.endpoint).port],
      7,
      'port',
      '--port-db',
    ],
  ])('says what fails: %s', async (_, line, exitCode, last, cure) => {
    const { code, stdout, stderr } = await check(...line());
    expect(code).toBe(exitCode);
    expect(steps(stdout)).toEqual(whole.slice(0, whole.indexOf(last) + 1));
    expect(stderr).toContain(cure);
  });

  it('writes out the permission that is missing', async () => {
    const caller: Scripted = {
      status: 200,
      body: '<R><GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn><UserId>u</UserId><Account>111122223333</Account></GetCallerIdentityResult></R>',
    };
    const denied: Scripted = {
      status: 403,
      body: '<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>',
    };
    await using service = await localService([caller, denied]);
    const endpoint = `http://127.0.0.1:${service.port}`;
    const { code, stdout, stderr } = await run(
      ['redshift', 'check', ...warehouse, '--db-group', 'g', ...trusted()],
      {
        env: {
          AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
          AWS_SECRET_ACCESS_KEY: 'canary-secret',
          AWS_REGION: 'eu-central-1',
          AWS_ENDPOINT_URL: endpoint,
        },
      },
    );
    expect(code).toBe(4);
    expect(steps(stdout)).toEqual(['credentials', 'caller']);
    for (const type of ['dbuser:warehouse/etl', 'dbname:warehouse/dev', 'dbgroup:warehouse/g']) {
      expect(stderr).toContain(`arn:aws:redshift:eu-central-1:111122223333:${type}`);
    }
    expect(stderr).toContain('redshift:JoinGroup');
  });
});

describe('docs/examples', () => {
  // What was checked meanwhile has changed the password: a PostgreSQL role has but one.
  beforeAll(() => {
    env = { ...env, ROLESANYWHERE_CACHE_DIR: join(directory, 'cache of the examples') };
  });

  it('redshift-etl.py', async () => {
    const program = resolve('docs/examples/redshift-etl.py');
    const line = [program, ...session(), ...warehouse, ...trusted()];
    expect(await runProgram(requirePart('psycopg'), line, { env })).toMatchObject({
      code: 0,
      stdout: 'IAM:etl loaded 2 rows, 49 in all\n',
      stderr: '',
    });
  });

  it('redshift-query.mjs', async () => {
    const program = resolve('docs/examples/redshift-query.mjs');
    const line = [program, ...session(), ...warehouse, ...trusted()];
    expect(await runProgram(process.execPath, line, { env })).toMatchObject({
      code: 0,
      stdout: 'IAM:etl in dev\n',
      stderr: '',
    });
  });

  it('redshift-pool.mjs', async () => {
    const program = resolve('docs/examples/redshift-pool.mjs');
    expect(
      await runProgram(process.execPath, [program], {
        cwd: directory,
        env: {
          ...env,
          AWS_ENDPOINT_URL_ROLESANYWHERE: emulator.endpoint,
          TRUST_ANCHOR_ARN: emulator.trustAnchorArn,
          PROFILE_ARN: emulator.profileArn,
          ROLE_ARN: emulator.roleArn,
          PGSSLROOTCERT: postgres.authority,
        },
      }),
    ).toMatchObject({ code: 0, stdout: 'IAM:etl\n', stderr: '' });
  });

  it('end with what the command said', async () => {
    const program = resolve('docs/examples/redshift-etl.py');
    const outcome = await runProgram(requirePart('psycopg'), [program, '--cluster', 'UPPER'], { env });
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain('rolesanywhere: error: ');
  });
});
