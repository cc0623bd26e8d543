import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { RolesAnywhereError } from '../errors.ts';
import { unreadable } from './files.ts';

/** How to reach a PostgreSQL server, in the words of the package `pg`; what is absent PG* variables may tell. */
export interface PostgresSettings {
  /** A directory with a socket, or a name or address. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly ssl: ConnectionOptions | false;
  /** Whether to go without TLS when the server has none. */
  readonly plainWillDo: boolean;
}

/**
 * Reads a URI as libpq does (PostgreSQL documentation, "Connection URIs"), of its parameters `host`, `sslmode` and
 * `sslrootcert`.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, FILE_UNREADABLE: no message holds the URI, whose password is a secret
 */
export async function readPostgresUrl(text: string): Promise<PostgresSettings> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw refuse('is none', 'write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, each part percent-encoded');
  }
  const unknown = [...url.searchParams.keys()].find(
    (name) => !['host', 'sslmode', 'sslrootcert'].includes(name),
  );
  if (unknown !== undefined) {
    throw refuse(`has an unknown parameter '${unknown}'`, 'it may have host, sslmode and sslrootcert');
  }
  const host = part(url.hostname.replace(/^\[|\]$/g, '')) ?? url.searchParams.get('host') ?? 'localhost';
  const mode = url.searchParams.get('sslmode') ?? 'prefer';
  return {
    host,
    port: Number(url.port || 5432),
    user: part(url.username),
    password: part(url.password),
    database: part(url.pathname.slice(1)),
    ssl: host.startsWith('/') ? false : await readTls(mode, url.searchParams.get('sslrootcert')),
    plainWillDo: mode === 'prefer',
  };
}

/** PostgreSQL documentation, "Protection Provided in Different Modes". */
async function readTls(mode: string, authorityFile: string | null): Promise<ConnectionOptions | false> {
  const authority =
    authorityFile === null || authorityFile === 'system' ? {} : { ca: await readText(authorityFile) };
  switch (mode) {
    case 'disable':
      return false;
    case 'prefer':
      return { rejectUnauthorized: false };
    case 'require':
      // With an authority at hand libpq checks it, for the sake of older versions.
      return 'ca' in authority ? { ...authority, checkServerIdentity } : { rejectUnauthorized: false };
    case 'verify-ca':
      return { ...authority, checkServerIdentity };
    case 'verify-full':
      return authority;
    default:
      throw refuse(
        `has an unknown sslmode '${mode}'`,
        'it may be disable, prefer, require, verify-ca or verify-full',
      );
  }
}

/** Whoever the authority vouches for will do. */
const checkServerIdentity = (): undefined => undefined;

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    throw unreadable(`authority ${path} of the database`, error);
  }
}

function part(encoded: string): string | undefined {
  try {
    return encoded === '' ? undefined : decodeURIComponent(encoded);
  } catch {
    throw refuse('has a percent sign that escapes nothing', 'write %25 for a percent sign');
  }
}

function refuse(what: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', `the URL of the PostgreSQL database ${what}`, { hint });
}
