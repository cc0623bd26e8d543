import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.ts';
import { askJdbc, askOdbc, askPsql, askPsycopg } from '../support/database-readers.ts';
import { sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import type { Postgres } from '../support/postgres.ts';
import { startPostgres } from '../support/postgres.ts';
import { requirePart } from '../support/system-parts.ts';

// From a certificate to a database, by the AWS CLI's commands for Redshift and real database clients.
describe("credentials from the emulator's Redshift", () => {
  let directory: string;
  let postgres: Postgres;
  let emulator: EmulatorProcess;
  let session: NodeJS.ProcessEnv;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'database '));
    postgres = await startPostgres();
    emulator = await startEmulatorProcess(['--pki', directory, '--postgres-url', postgres.url]);
    session = await openSession(emulator);
  });

  afterAll(async () => {
    await emulator.close();
    await postgres[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  /** The variables of a session with it. */
  const openSession = async (emulator: EmulatorProcess): Promise<NodeJS.ProcessEnv> => {
    const [certificate, key] = [join(directory, 'leaf.pem'), join(directory, 'leaf.key')];
    const { stdout } = await run(sessionWords(emulator, { certificate, key }));
    const credentials = JSON.parse(stdout) as Record<string, string>;
    return {
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_ACCESS_KEY_ID: credentials['AccessKeyId'],
      AWS_SECRET_ACCESS_KEY: credentials['SecretAccessKey'],
      AWS_SESSION_TOKEN: credentials['SessionToken'],
    };
  };

  const aws = async (
    line: string,
    { AWS_ENDPOINT_URL: endpoint = '', ...keys } = session,
  ): Promise<unknown> => {
    const { stdout } = await promisify(execFile)(
      requirePart('aws'),
      [...line.split(' '), '--endpoint-url', endpoint],
      {
        env: {
          PATH: process.env['PATH'],
          HOME: directory,
          AWS_REGION: 'us-east-1',
          AWS_MAX_ATTEMPTS: '1',
          ...keys,
        },
      },
    );
    return JSON.parse(stdout);
  };

  it('let psql in, at the address that DescribeClusters answers', async () => {
    const { Clusters } = (await aws('redshift describe-clusters --cluster-identifier sales')) as {
      Clusters: [{ Endpoint: { Address: string; Port: number } }];
    };
    const [{ Endpoint }] = Clusters;
    const { DbUser, DbPassword } = (await aws(
      'redshift get-cluster-credentials --cluster-identifier sales --db-user etl --auto-create',
    )) as { DbUser: string; DbPassword: string };
    expect(DbUser).toBe('IAMA:etl');
    const outcome = await askPsql(undefined, {
      PGHOST: Endpoint.Address,
      PGPORT: String(Endpoint.Port),
      PGDATABASE: 'dev',
      PGUSER: DbUser,
      PGPASSWORD: DbPassword,
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: postgres.authority,
    });
    expect(outcome).toMatchObject({ code: 0, stdout: 'IAMA:etl\n' });
  });

  it('let every driver in, of a workgroup', async () => {
    const { workgroup } = (await aws('redshift-serverless get-workgroup --workgroup-name sales')) as {
      workgroup: { endpoint: { address: string; port: number } };
    };
    const { address, port } = workgroup.endpoint;
    const { dbUser, dbPassword } = (await aws(
      'redshift-serverless get-credentials --workgroup-name sales --db-name dev',
    )) as { dbUser: string; dbPassword: string };
    const answer = { code: 0, stdout: 'IAMR:emulator\n', stderr: '' };
    const tls = { sslmode: 'verify-full', sslrootcert: postgres.authority };

    const keywords = { host: address, port, dbname: 'dev', user: dbUser, password: dbPassword, ...tls };
    expect(await askPsycopg(keywords)).toMatchObject(answer);

    const parameters = new URLSearchParams({ ...tls, UID: dbUser, PWD: dbPassword });
    expect(await askJdbc(`jdbc:redshift://${address}:${port}/dev?${parameters.toString()}`)).toMatchObject(
      answer,
    );

    const odbc =
      `Driver={Amazon Redshift ODBC Driver (x64)};Server=${address};Port=${port};Database=dev;` +
      `UID=${dbUser};PWD={${dbPassword.replaceAll('}', '}}')}};SSLMode=verify-full`;
    expect(await askOdbc(odbc, { PGSSLROOTCERT: postgres.authority })).toMatchObject(answer);
  });

  it('say in the log why a login will fail', async () => {
    const words = 'redshift get-cluster-credentials --cluster-identifier sales --db-user nobody';
    expect(await aws(words)).toMatchObject({ DbUser: 'IAM:nobody' });
    expect(await emulator.output()).toMatch(
      /"dbUser":"IAM:nobody".*"loginFails":"the database has no user nobody/,
    );
  });

  it('cannot be had while the database is down, and the log says so', async () => {
    const gone = await startPostgres();
    const other = await startEmulatorProcess(['--pki', directory, '--postgres-url', gone.url]);
    try {
      await gone[Symbol.asyncDispose]();
      const failure = aws(
        'redshift get-cluster-credentials-with-iam --cluster-identifier sales',
        await openSession(other),
      );
      await expect(failure).rejects.toMatchObject({
        stderr: expect.stringContaining('(InternalFailure)') as string,
      });
      expect(await other.output()).toContain('nothing listens there');
    } finally {
      await other.close();
    }
  });
});
