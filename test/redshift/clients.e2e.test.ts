import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatabaseConnection } from '../../src/redshift/connection.ts';
import { environment } from '../../src/redshift/formats/env.ts';
import { type Format, formatConnection } from '../../src/redshift/formats/formats.ts';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome } from '../support/command.ts';
import { runProgram } from '../support/command.ts';
import { askJdbc, askOdbc, askPsql, askPsycopg } from '../support/database-readers.ts';
import { awkward, startPostgres } from '../support/postgres.ts';
import type { Postgres } from '../support/postgres.ts';
import { requirePart } from '../support/system-parts.ts';

/*
 * The strings are read by the clients that they are for, and a real server takes or refuses what they make of them. It
 * takes connections with a verified certificate and the very password alone.
 */

let postgres: Postgres;
let directory = '';

/** Names as the API returns them, with everything that they may hold. */
const users = ['IAM:etl', 'IAMA:e+t@l.x-y_z', 'IAMR:a=b,c'];
const passwords = ['%41%2B+ x', '{}}', "''\\", ' ', 'é€'];

beforeAll(async () => {
  postgres = await startPostgres();
  directory = await mkdtemp(join(tmpdir(), 'redshift-clients-'));
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const connectionAs = (user: string, password: string): DatabaseConnection => ({
  host: postgres.host,
  port: postgres.port,
  database: postgres.database,
  user,
  password,
  sslMode: 'verify-full',
  sslRootCert: { file: postgres.authority, isGiven: true },
});

const text = (format: Format, connection: DatabaseConnection): string =>
  formatConnection(format, connection).replace(/\n$/, '');

/** A client told by each format alone, as its users tell it. */
const clients: Readonly<
  Record<Exclude<Format, 'redshift-connector'>, (connection: DatabaseConnection) => Promise<Outcome>>
> = {
  async env(connection) {
    const script = `${text('env', connection)}\nexec ${requirePart('psql')} -XwAtc 'select current_user'`;
    return runProgram(requirePart('bash'), ['--norc', '-c', script]);
  },
  uri: (connection) => askPsql(text('uri', connection)),
  async pgpass(connection) {
    const file = join(directory, 'pgpass');
    await writeFile(file, formatConnection('pgpass', connection), { mode: 0o600 });
    const rest = environment({ ...connection, password: undefined });
    return askPsql(undefined, { ...rest, PGPASSFILE: file });
  },
  psycopg: (connection) => askPsycopg(JSON.parse(text('psycopg', connection)) as Record<string, unknown>),
  // It has no key for the authorities, as Amazon's has none that all versions know.
  odbc: (connection) =>
    askOdbc(text('odbc', connection), { PGSSLROOTCERT: connection.sslRootCert.file ?? '' }),
  jdbc: (connection) => askJdbc(text('jdbc', connection)),
};

const setPassword = async (user: string, password: string): Promise<void> => {
  const [name, secret] = [user.replaceAll('"', '""'), password.replaceAll("'", "''")];
  await postgres.sql(`drop role if exists "${name}"; create role "${name}" login password '${secret}'`);
};

describe.each(Object.entries(clients).map(([name, ask]) => ({ name, ask })))('$name', ({ ask }) => {
  it.each(users)('logs in as %s', async (user) => {
    await setPassword(user, awkward);
    expect(await ask(connectionAs(user, awkward))).toMatchObject({
      code: 0,
      stdout: `${user}\n`,
      stderr: '',
    });
  });

  it('logs in by every awkward password', async () => {
    for (const password of passwords) {
      await setPassword('IAM:etl', password);
      const { code, stdout } = await ask(connectionAs('IAM:etl', password));
      expect({ password, code, stdout }).toEqual({ password, code: 0, stdout: 'IAM:etl\n' });
    }
  });

  it('is refused with another password', async () => {
    await setPassword('IAM:etl', awkward);
    expect((await ask(connectionAs('IAM:etl', awkward.slice(1)))).code).not.toBe(0);
  });

  it('refuses a server of another authority, before it says a password', async () => {
    const other: DatabaseConnection = {
      ...connectionAs('IAM:etl', awkward),
      sslRootCert: { file: '/etc/ssl/certs/ca-certificates.crt', isGiven: true },
    };
    expect((await ask(other)).code).not.toBe(0);
  });
});
