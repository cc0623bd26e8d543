import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askJdbc, askOdbc, askPsql, askPsycopg } from './database-readers.ts';
import type { Postgres } from './postgres.ts';
import { awkward, startPostgres } from './postgres.ts';

// The strings here are made by hand, by each reader's documentation.
describe('the PostgreSQL server of the tests', () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  });

  const welcome = { code: 0, stdout: 'admin\n', stderr: '' };

  it('has a password that is awkward', () => {
    expect(awkward).toMatch(/^[ -~]+$/);
    for (const character of `+/=@:&%;{}'"\\ `.split('')) expect(awkward).toContain(character);
    expect(postgres.administrator.password).toContain(awkward);
  });

  it('is reached by psql with a URI', async () => {
    expect(await askPsql(postgres.url)).toMatchObject(welcome);
  });

  it('is reached by psycopg with keyword arguments', async () => {
    const { host, port, database, administrator, authority } = postgres;
    const keywords = { host, port, dbname: database, sslmode: 'verify-full', sslrootcert: authority };
    expect(await askPsycopg({ ...keywords, ...administrator })).toMatchObject(welcome);
  });

  it("is reached by psqlODBC, under the name of Amazon's driver", async () => {
    const { host, port, database, administrator, authority } = postgres;
    const password = administrator.password.replaceAll('}', '}}');
    const string =
      `Driver={Amazon Redshift ODBC Driver (x64)};Server=${host};Port=${port};Database=${database};` +
      `UID=${administrator.user};PWD={${password}};SSLMode=verify-full`;
    expect(await askOdbc(string, { PGSSLROOTCERT: authority })).toMatchObject(welcome);
  });

  it("is reached by JDBC with a URL for Amazon's driver", async () => {
    const { host, port, database, administrator, authority } = postgres;
    const parameters = new URLSearchParams({
      sslmode: 'verify-full',
      sslrootcert: authority,
      UID: administrator.user,
      PWD: administrator.password,
    });
    const url = `jdbc:redshift://${host}:${port}/${database}?${parameters.toString()}`;
    expect(await askJdbc(url)).toMatchObject(welcome);
  });

  it('takes no connection without TLS, and none by another name', async () => {
    const plain = await askPsql(postgres.url.replace('verify-full', 'disable'));
    expect(plain).toMatchObject({ code: 2, stdout: '' });
    expect(plain.stderr).toContain('no encryption');
    const named = await askPsql(postgres.url.replace('@localhost:', '@127.0.0.1:'));
    expect(named).toMatchObject({ code: 2, stdout: '' });
    expect(named.stderr).toContain('does not match host name "127.0.0.1"');
  });

  it('takes no other password', async () => {
    const { stderr, code } = await askPsql(postgres.url.replace('z@localhost', '@localhost'));
    expect(code).toBe(2);
    expect(stderr).toContain('password authentication failed');
  });
});
