import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startServer } from '../../scripts/postgres.mjs';
import { issue, makeAuthority } from './pki.ts';
import { requirePart } from './system-parts.ts';

const run = promisify(execFile);

/**
 * A PostgreSQL server of the tests' own, on this machine's loopback addresses. It takes connections by TLS alone, and
 * passwords by SCRAM alone.
 */
export interface Postgres extends AsyncDisposable {
  /** The name in its certificate. */
  readonly host: 'localhost';
  readonly port: number;
  /** A database that is there, as in a new Redshift cluster; it belongs to the administrator. */
  readonly database: 'dev';
  /** Path of the PEM certificate of the authority that issued the server's certificate. */
  readonly authority: string;
  /** Of a superuser; it holds every character that is awkward somewhere. */
  readonly administrator: { readonly user: string; readonly password: string };
  /** The administrator's way in, for `--postgres-url`: with verify-full, password included. */
  readonly url: string;
  /** What psql prints for these statements, unaligned and without headers; it stops at the first that fails. */
  sql(statements: string): Promise<string>;
  /** What the server logged: every statement among it. */
  log(): string;
}

/** Every printable character of ASCII that is neither letter nor digit, those of the readers' own rules first. */
export const awkward = `+/=@:&%;{}'"\\ !#$()*,-.<>?[]^_\`|~`;

export const startPostgres = async (): Promise<Postgres> => {
  const programs = dirname(requirePart('postgres'));
  const psql = requirePart('psql');
  const directory = await mkdtemp(join(tmpdir(), 'postgres-'));
  const authority = join(directory, 'ca.pem');
  const administrator = { user: 'admin', password: `a${awkward}z` };
  const issuer = makeAuthority({ name: 'Database Root' });
  const { certificatePem, privateKeyPem } = issue(issuer, {
    name: 'database',
    alternativeNames: ['localhost'],
    extendedKeyUsage: ['serverAuth'],
  });
  try {
    await chmod(directory, 0o711);
    await writeFile(authority, issuer.certificatePem);
    const server = await startServer({
      programs,
      data: join(directory, 'data'),
      database: 'dev',
      administrator,
      certificate: certificatePem,
      key: privateKeyPem,
      settings: { log_statement: 'all', log_error_verbosity: 'terse' },
    });
    const sql = async (statements: string): Promise<string> => {
      const child = run(psql, ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'], {
        env: {
          PATH: process.env['PATH'],
          PGHOST: 'localhost',
          PGPORT: String(server.port),
          PGUSER: administrator.user,
          PGPASSWORD: administrator.password,
          PGDATABASE: 'dev',
          PGSSLMODE: 'verify-full',
          PGSSLROOTCERT: authority,
        },
      });
      child.child.stdin?.end(statements);
      return (await child).stdout.trim();
    };
    const [user, password, file] = [administrator.user, administrator.password, authority].map(
      encodeURIComponent,
    );
    return {
      host: 'localhost',
      port: server.port,
      database: 'dev',
      authority,
      administrator,
      url: `postgresql://${user ?? ''}:${password ?? ''}@localhost:${server.port}/dev?sslmode=verify-full&sslrootcert=${file ?? ''}`,
      sql,
      log: () => server.log(),
      async [Symbol.asyncDispose]() {
        await server.stop();
        await rm(directory, { recursive: true });
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true });
    throw error;
  }
};
