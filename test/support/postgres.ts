import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Issued } from './pki.ts';
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

// PostgreSQL does not run as root. These two are the same on every Debian and Ubuntu.
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

export const startPostgres = async (): Promise<Postgres> => {
  const programs = dirname(requirePart('postgres'));
  const psql = requirePart('psql');
  const directory = await mkdtemp(join(tmpdir(), 'postgres-'));
  const [data, authority] = [join(directory, 'data'), join(directory, 'ca.pem')];
  const administrator = { user: 'admin', password: `a${awkward}z` };
  const issuer = makeAuthority({ name: 'Database Root' });
  try {
    await give(directory, 0o711);
    await writeFile(authority, issuer.certificatePem);
    await initialise(join(programs, 'initdb'), directory, administrator);
    await writeTls(data, issuer);
    const server = await startServer(join(programs, 'postgres'), data);
    const sql = async (statements: string, database = 'dev'): Promise<string> => {
      const child = run(psql, ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'], {
        env: {
          PATH: process.env['PATH'],
          PGHOST: 'localhost',
          PGPORT: String(server.port),
          PGUSER: administrator.user,
          PGPASSWORD: administrator.password,
          PGDATABASE: database,
          PGSSLMODE: 'verify-full',
          PGSSLROOTCERT: authority,
        },
      });
      child.child.stdin?.end(statements);
      return (await child).stdout.trim();
    };
    await sql('create database dev', 'postgres');
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

/** Makes the server's user the owner. */
async function give(path: string, mode: number): Promise<void> {
  if (nobody.uid !== undefined) await chown(path, nobody.uid, nobody.gid);
  await chmod(path, mode);
}

async function initialise(
  initdb: string,
  directory: string,
  { user, password }: Postgres['administrator'],
): Promise<void> {
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, password);
  await give(passwordFile, 0o600);
  await run(
    initdb,
    [
      ...['--pgdata', join(directory, 'data'), '--username', user, '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-sync', '--no-instructions'],
    ],
    { ...nobody, cwd: directory, env: { PATH: process.env['PATH'] } },
  );
  await rm(passwordFile);
}

async function writeTls(data: string, issuer: Issued): Promise<void> {
  const server = issue(issuer, {
    name: 'database',
    alternativeNames: ['localhost'],
    extendedKeyUsage: ['serverAuth'],
  });
  const files = {
    'server.crt': server.certificatePem,
    'server.key': server.privateKeyPem,
    'pg_hba.conf': 'hostssl all all all scram-sha-256\n',
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(data, name), text);
    await give(join(data, name), 0o600);
  }
}

async function startServer(
  postgres: string,
  data: string,
): Promise<{ readonly port: number; log(): string; stop(): Promise<void> }> {
  const port = await freePort();
  const settings = {
    listen_addresses: 'localhost',
    port: String(port),
    unix_socket_directories: '',
    ssl: 'on',
    fsync: 'off',
    log_statement: 'all',
    log_error_verbosity: 'terse',
  };
  const child = spawn(
    postgres,
    ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...nobody, cwd: data, env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close');
  while (!output.includes('ready to accept connections')) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL did not start: ${output}`);
    await sleep(10);
  }
  return {
    port,
    log: () => output,
    stop: async () => {
      child.kill('SIGINT'); // ends its sessions too
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
