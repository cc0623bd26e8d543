import type { Client } from 'pg';
import { RolesAnywhereError } from '../errors.ts';
import type { Database, Login } from './database-credentials.ts';
import type { PostgresSettings } from './postgres-url.ts';
import { readPostgresUrl } from './postgres-url.ts';
import { scramVerifier } from './scram.ts';

/** PostgreSQL cuts longer names off, without a word. */
const longestName = 63;

/** Two emulators must not change a role at once: PostgreSQL would fail one of them ("tuple concurrently updated"). */
const lock = 'select pg_advisory_xact_lock(5439)';

/**
 * A PostgreSQL database that plays the cluster. Each login is a role of its own there, with the permissions of the user
 * that it is for, as a member of that role. A role has one password: the one issued last.
 *
 * @param url see {@link readPostgresUrl}
 * @throws RolesAnywhereError INVALID_ARGUMENT, FILE_UNREADABLE, DATABASE_UNREACHABLE, DATABASE_REFUSED
 */
export async function openPostgres(url: string): Promise<Database> {
  const settings = await checkAccess(await readPostgresUrl(url));
  return {
    address: settings.host.startsWith('/') ? 'localhost' : settings.host,
    port: settings.port,
    admit: async (login) => {
      if (Buffer.byteLength(login.name) > longestName) {
        return `PostgreSQL takes no name longer than ${longestName} bytes`;
      }
      const verifier = await scramVerifier(login.password.expose());
      return connected(settings, (client) => admit(client, login, verifier));
    },
  };
}

/** @returns the settings that work: whether with TLS is seen here, where it is left to the server */
async function checkAccess(settings: PostgresSettings): Promise<PostgresSettings> {
  try {
    await connected(settings, async (client) => {
      const { rows } = await client.query<{ may: boolean; role: string }>(
        'select rolsuper or rolcreaterole as may, current_user as role from pg_roles where rolname = current_user',
      );
      const [answer] = rows;
      if (answer?.may !== true) {
        throw new RolesAnywhereError(
          'DATABASE_REFUSED',
          `${where(settings)}: the role ${answer?.role ?? ''} may not create roles`,
          { hint: 'name a superuser in the URL, or a role with CREATEROLE' },
        );
      }
    });
    return settings;
  } catch (error) {
    const withoutTls = error instanceof RolesAnywhereError && hasNoTls(error.cause);
    if (settings.plainWillDo && settings.ssl !== false && withoutTls) {
      return checkAccess({ ...settings, ssl: false });
    }
    throw error;
  }
}

/** One connection for one purpose: the server may be restarted in between. */
async function connected<T>(settings: PostgresSettings, use: (client: Client) => Promise<T>): Promise<T> {
  const { Client } = await import('pg');
  const client = new Client({ ...settings, connectionTimeoutMillis: 10_000, query_timeout: 10_000 });
  // A connection that is lost fails the query that waits for it; this keeps it from ending the process besides.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } catch (error) {
    throw explain(settings, error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * All or nothing, in one transaction.
 *
 * @returns why the login will fail
 */
async function admit(client: Client, login: Login, verifier: string): Promise<string | undefined> {
  const { name, user, groups } = login;
  const quote = (text: string): string => client.escapeIdentifier(text);
  await client.query('begin');
  await client.query(lock);
  const known = await names(client, 'select rolname as name from pg_roles where rolname = any($1)', [
    [name, user ?? name, ...groups],
  ]);
  if (login.create && user !== undefined && !known.has(user)) {
    await client.query(`create role ${quote(user)}`);
    known.add(user);
  }
  const missing = groups.find((group) => !known.has(group));
  if (missing !== undefined) {
    return `the database has no group ${missing}`;
  }
  if (!known.has(name)) {
    if (!login.create && user !== undefined && !known.has(user)) {
      return `the database has no user ${user}, and AutoCreate is false`;
    }
    await client.query(`create role ${quote(name)}`);
  }
  const until = login.expiration.toISOString();
  await client.query(`alter role ${quote(name)} login password '${verifier}' valid until '${until}'`);

  const wanted = new Set([user ?? name, ...groups].filter((role) => role !== name && known.has(role)));
  const current = await names(
    client,
    'select rolname as name from pg_auth_members join pg_roles on oid = roleid ' +
      'where member = (select oid from pg_roles where rolname = $1)',
    [name],
  );
  for (const role of current) {
    if (!wanted.has(role)) await client.query(`revoke ${quote(role)} from ${quote(name)}`);
  }
  for (const role of wanted) {
    if (!current.has(role)) await client.query(`grant ${quote(role)} to ${quote(name)}`);
  }
  await client.query('commit');
  return undefined;
}

async function names(client: Client, query: string, values: readonly unknown[]): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(query, [...values]);
  return new Set(rows.map(({ name }) => name));
}

const untrusted = ['its certificate is not trusted', 'name its authority by sslrootcert in the URL'] as const;
const unknownUser = 'a password may stand in the URL, in PGPASSWORD or in ~/.pgpass';

/** What went wrong, by the error's code; undefined where its message tells. */
const failures: Readonly<Record<string, readonly [reason: string | undefined, hint?: string]>> = {
  ECONNREFUSED: ['nothing listens there'],
  ENOTFOUND: ['there is no such host'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'its certificate is for another name',
    'name the host as its certificate does',
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  // PostgreSQL documentation, appendix A: invalid_authorization_specification, invalid_password
  28000: [undefined, unknownUser],
  '28P01': [undefined, unknownUser],
};

function explain(settings: PostgresSettings, error: unknown): RolesAnywhereError {
  if (error instanceof RolesAnywhereError) {
    return error;
  }
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  // The server's own errors have an SQLSTATE: five characters.
  const byServer = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code);
  const noPassword = message.endsWith('client password must be a string');
  const [reason, hint] = noPassword
    ? ['it asks for a password', unknownUser]
    : (failures[String(code)] ?? []);
  return new RolesAnywhereError(
    byServer || noPassword ? 'DATABASE_REFUSED' : 'DATABASE_UNREACHABLE',
    `${where(settings)}: ${reason ?? message}`,
    { cause: error, ...(hint === undefined ? {} : { hint }) },
  );
}

function hasNoTls(error: unknown): boolean {
  return error instanceof Error && error.message === 'The server does not support SSL connections';
}

function where({ host, port }: PostgresSettings): string {
  return `PostgreSQL at ${host} port ${port}`;
}
