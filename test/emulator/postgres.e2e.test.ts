import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database, Login } from '../../src/emulator/database-credentials.ts';
import { openPostgres } from '../../src/emulator/postgres.ts';
import { Secret } from '../../src/secret.ts';
import type { Outcome } from '../support/command.ts';
import { askPsql } from '../support/database-readers.ts';
import type { Postgres } from '../support/postgres.ts';
import { awkward, startPostgres } from '../support/postgres.ts';

describe('a PostgreSQL database behind the emulator', () => {
  let postgres: Postgres;
  let database: Database;
  beforeAll(async () => {
    postgres = await startPostgres();
    database = await openPostgres(postgres.url);
    await postgres.sql(`create role etl; create table sales (n int); grant select on sales to etl;
      create role readers; create role writers; create table facts (n int); grant select on facts to readers;`);
  });
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  });

  const inAnHour = (): Date => new Date(Date.now() + 3_600_000);
  const login = (change: Partial<Login>): Login => ({
    name: 'IAM:etl',
    user: 'etl',
    create: false,
    groups: [],
    password: new Secret(`${awkward}${randomBytes(6).toString('hex')}`),
    expiration: inAnHour(),
    ...change,
  });
  /** By environment alone, as `redshift exec` will. */
  const connect = ({ name, password }: Login, env: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
    askPsql(undefined, {
      PGHOST: database.address,
      PGPORT: String(database.port),
      PGDATABASE: 'dev',
      PGUSER: name,
      PGPASSWORD: password.expose(),
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: postgres.authority,
      ...env,
    });
  const memberships = (role: string): Promise<string> =>
    postgres.sql(`select string_agg(roleid::regrole::text, ' ' order by 1) from pg_auth_members
      where member = '"${role}"'::regrole`);

  it('is where clients are told to connect', () => {
    expect([database.address, database.port]).toEqual(['localhost', postgres.port]);
  });

  it("lets a user's login in, with the user's permissions", async () => {
    const etl = login({});
    expect(await database.admit(etl)).toBeUndefined();
    expect(await connect(etl)).toMatchObject({ code: 0, stdout: 'IAM:etl\n' });
    expect(await postgres.sql(`select has_table_privilege('IAM:etl', 'sales', 'select')`)).toBe('t');
    expect(await postgres.sql(`select has_table_privilege('IAM:etl', 'facts', 'select')`)).toBe('f');
  });

  it('makes no user that is not there, unless asked to', async () => {
    const absent = login({ name: 'IAM:Absent', user: 'Absent' });
    expect(await database.admit(absent)).toContain('no user Absent');
    expect((await connect(absent)).stderr).toContain('password authentication failed');
    expect(await postgres.sql(`select count(*) from pg_roles where rolname ilike '%absent'`)).toBe('0');

    const made = login({ name: 'IAMA:Absent', user: 'Absent', create: true });
    expect(await database.admit(made)).toBeUndefined();
    expect(await connect(made)).toMatchObject({ code: 0, stdout: 'IAMA:Absent\n' });
    // From now on the user is there for those who may not make it.
    expect(await database.admit(absent)).toBeUndefined();
    expect(await connect(absent)).toMatchObject({ code: 0, stdout: 'IAM:Absent\n' });
  });

  it('takes the role that somebody made for the login, without a user behind it', async () => {
    await postgres.sql('create role "IAM:alone"');
    const alone = login({ name: 'IAM:alone', user: 'alone' });
    expect(await database.admit(alone)).toBeUndefined();
    expect(await connect(alone)).toMatchObject({ code: 0, stdout: 'IAM:alone\n' });
  });

  it("makes an identity's own user", async () => {
    const role = login({ name: 'IAMR:emulator', user: undefined, create: true });
    expect(await database.admit(role)).toBeUndefined();
    expect(await connect(role)).toMatchObject({ code: 0, stdout: 'IAMR:emulator\n' });
  });

  it('puts the login into the groups that were asked for last, and no others', async () => {
    await database.admit(login({ groups: ['readers', 'writers'] }));
    expect(await memberships('IAM:etl')).toBe('etl readers writers');
    await database.admit(login({ groups: ['readers'] }));
    expect(await memberships('IAM:etl')).toBe('etl readers');
  });

  it('makes no group', async () => {
    const grouped = login({ groups: ['readers', 'nobody'] });
    expect(await database.admit(grouped)).toContain('no group nobody');
    expect((await connect(grouped)).code).toBe(2);
  });

  it('refuses a password once it has expired, and one that another has replaced', async () => {
    const expired = login({ expiration: new Date(Date.now() - 1000) });
    await database.admit(expired);
    expect((await connect(expired)).code).toBe(2);
    const [first, second] = [login({}), login({})];
    await database.admit(first);
    await database.admit(second);
    expect((await connect(first)).code).toBe(2);
    expect((await connect(second)).code).toBe(0);
  });

  it('takes names that are SQL elsewhere', async () => {
    const hostile = login({
      name: 'IAMA:x"; drop role etl; --',
      user: `x"; drop role etl; --`,
      create: true,
    });
    expect(await database.admit(hostile)).toBeUndefined();
    expect(await connect(hostile)).toMatchObject({ code: 0, stdout: 'IAMA:x"; drop role etl; --\n' });
    expect(await postgres.sql(`select count(*) from pg_roles where rolname = 'etl'`)).toBe('1');
  });

  it('says that a name is too long for it', async () => {
    const name = `IAM:${'u'.repeat(64)}`;
    expect(await database.admit(login({ name, user: 'u'.repeat(64), create: true }))).toContain('63 bytes');
  });

  it('serves many at once', async () => {
    const other = await openPostgres(postgres.url);
    const logins = Array.from({ length: 10 }, () => login({ name: 'IAMA:busy', user: 'busy', create: true }));
    await Promise.all(logins.map((each, index) => (index % 2 === 0 ? database : other).admit(each)));
    const outcomes = await Promise.all(logins.map((each) => connect(each)));
    expect(outcomes.filter(({ code }) => code === 0)).toHaveLength(1);
  });

  it('never sees a password in a statement', async () => {
    const secret = login({});
    await database.admit(secret);
    expect(postgres.log()).toContain('alter role "IAM:etl" login password');
    expect(postgres.log()).not.toContain(secret.password.expose().slice(-12));
  });

  it.each([
    ['no password', (url: string) => url.replace(/:[^/]*@/, '@'), 'DATABASE_REFUSED'],
    ['another password', (url: string) => url.replace('z@', '@'), 'DATABASE_REFUSED'],
    ['no TLS', (url: string) => url.replace('verify-full', 'disable'), 'DATABASE_REFUSED'],
    ['another name', (url: string) => url.replace('@localhost', '@127.0.0.1'), 'DATABASE_UNREACHABLE'],
    ['an unknown authority', (url: string) => url.replace(/&sslrootcert=.*/, ''), 'DATABASE_UNREACHABLE'],
    ['another database', (url: string) => url.replace('/dev', '/none'), 'DATABASE_REFUSED'],
    [
      'a host that is not there',
      (url: string) => url.replace('localhost', 'none.invalid'),
      'DATABASE_UNREACHABLE',
    ],
  ])('is not opened with %s', async (_, change, code) => {
    const error: unknown = await openPostgres(change(postgres.url)).catch((error: unknown) => error);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain(awkward);
    // The words are ours or the server's, never those of a library.
    expect(String(error)).toMatch(/^RolesAnywhereError: PostgreSQL at \S+ port \d+: [a-z]/);
  });

  it.each(['prefer', 'require', 'verify-ca'])('is opened by %s whatever its name', async (mode) => {
    const url = postgres.url.replace('localhost', '127.0.0.1').replace('verify-full', mode);
    expect(await openPostgres(url)).toMatchObject({ address: '127.0.0.1', port: postgres.port });
  });

  it('is not opened by a role that may not create others', async () => {
    await postgres.sql(`create role plain login password 'plain'`);
    const url = postgres.url.replace(/\/\/.*@/, '//plain:plain@');
    await expect(openPostgres(url)).rejects.toMatchObject({
      code: 'DATABASE_REFUSED',
      hint: expect.any(String) as string,
    });
  });

  it('goes without TLS where the server has none and either will do', async () => {
    const asked: string[] = [];
    const server = createServer((socket) => {
      socket.once('data', (data) => {
        const tls = data.readUInt32BE(4) === 80_877_103; // SSLRequest
        asked.push(tls ? 'TLS' : 'plain');
        socket.end(tls ? 'N' : '');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const mode of ['prefer', 'require']) {
      await expect(openPostgres(`postgresql://u:p@127.0.0.1:${port}/?sslmode=${mode}`)).rejects.toMatchObject(
        {
          code: 'DATABASE_UNREACHABLE',
        },
      );
    }
    expect(asked).toEqual(['TLS', 'plain', 'TLS']);
    server.close();
  });
});
