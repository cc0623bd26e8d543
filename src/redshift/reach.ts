import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { BlockList, connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectSecure, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { RolesAnywhereError } from '../errors.ts';
import { errnoOf, reasonOf } from '../runtime/errno.ts';
import type { Address } from './api.ts';
import type { DatabaseConnection } from './connection.ts';

/** Milliseconds for each way to the database. */
const patience = 10_000;

/** RFC 1918, RFC 4193, and shared address space (RFC 6598). */
const privateNetworks = new BlockList();
privateNetworks.addSubnet('10.0.0.0', 8, 'ipv4');
privateNetworks.addSubnet('172.16.0.0', 12, 'ipv4');
privateNetworks.addSubnet('192.168.0.0', 16, 'ipv4');
privateNetworks.addSubnet('100.64.0.0', 10, 'ipv4');
privateNetworks.addSubnet('fc00::', 7, 'ipv6');

/**
 * The addresses of a host.
 *
 * @throws RolesAnywhereError DATABASE_UNREACHABLE
 */
export async function resolveHost(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    throw new RolesAnywhereError('DATABASE_UNREACHABLE', `${host} has no address (${errnoOf(error) ?? ''})`, {
      cause: error,
      hint: 'a private endpoint has one only inside its network: check the name server, --host and --custom-domain',
    });
  }
}

export function isPrivate(address: string): boolean {
  return privateNetworks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Opens a connection and closes it again.
 *
 * @throws RolesAnywhereError DATABASE_UNREACHABLE
 */
export async function reachPort(address: Address, addresses: readonly string[]): Promise<void> {
  (await openSocket(address, addresses)).destroy();
}

async function openSocket({ host, port }: Address, addresses: readonly string[]): Promise<Socket> {
  const socket = connectPlain({ host, port });
  try {
    await settled(socket, 'connect');
    return socket;
  } catch (error) {
    socket.destroy();
    const hint = addresses.some(isPrivate)
      ? `the address is private: this machine must be in its network (VPN, Direct Connect, VPC endpoint), and the security group must let it in on port ${port}`
      : `the security group must let this machine in on port ${port}, and the database must be publicly accessible, which it is not by default`;
    throw new RolesAnywhereError(
      'DATABASE_UNREACHABLE',
      `no connection to ${host} on port ${port}: ${error instanceof Overdue ? 'no answer' : reasonOf(error)}`,
      { cause: error, hint },
    );
  }
}

/**
 * Begins TLS as a client of the database does (PostgreSQL documentation, "SSL Session Encryption").
 *
 * @returns what was agreed on
 * @throws RolesAnywhereError DATABASE_UNREACHABLE, TLS_UNTRUSTED, FILE_UNREADABLE
 */
export async function checkTls(
  connection: DatabaseConnection,
  addresses: readonly string[],
): Promise<{ readonly protocol: string; readonly issuer: string }> {
  const options = tlsOptionsOf(connection);
  const socket = await openSocket(connection, addresses);
  let secure: TLSSocket | undefined;
  try {
    // SSLRequest: its length, and a version that no protocol has.
    socket.write(Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47));
    const [answer] = (await settled(socket, 'data')) as [Buffer];
    if (answer.toString('latin1') !== 'S') {
      throw new RolesAnywhereError('DATABASE_UNREACHABLE', `${connection.host} speaks no TLS on that port`, {
        hint: 'this may not be the database: check --host and --port-db',
      });
    }
    secure = connectSecure({ ...options, socket });
    await settled(secure, 'secureConnect');
    const issuer = secure.getPeerCertificate().issuer;
    const names = [issuer.O, issuer.CN].flat().filter((name) => name !== undefined);
    return { protocol: secure.getProtocol() ?? '', issuer: names.join(' ') };
  } catch (error) {
    throw error instanceof RolesAnywhereError ? error : untrusted(connection, error);
  } finally {
    secure?.destroy();
    socket.destroy();
  }
}

/**
 * What Node's TLS takes for a connection; its host name is checked under `verify-full` alone.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE
 */
function tlsOptionsOf({ host, sslMode, sslRootCert: { file } }: DatabaseConnection): ConnectionOptions {
  const verifies = sslMode.startsWith('verify');
  return {
    // Without both, Node would check an address against the name localhost.
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: verifies,
    ...(verifies && file !== undefined && file !== 'system' ? { ca: readAuthorities(file) } : {}),
    ...(sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function readAuthorities(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new RolesAnywhereError('FILE_UNREADABLE', `cannot read --sslrootcert ${file}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function untrusted({ host, sslRootCert }: DatabaseConnection, error: unknown): RolesAnywhereError {
  const code = errnoOf(error) ?? '';
  if (error instanceof Overdue || code === 'ECONNRESET') {
    return new RolesAnywhereError('DATABASE_UNREACHABLE', `${host} broke off before TLS stood`, {
      cause: error,
    });
  }
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID'
    ? new RolesAnywhereError('TLS_UNTRUSTED', `the database's certificate is not for ${host}`, {
        cause: error,
        hint: 'connect by the name in the certificate: --host, or --custom-domain',
      })
    : new RolesAnywhereError('TLS_UNTRUSTED', `the database's certificate is not trusted (${code})`, {
        cause: error,
        hint: `its authority must be in ${sslRootCert.file ?? 'a file'}: name another with --sslrootcert FILE`,
      });
}

/**
 * Logs in and asks who it is.
 *
 * @returns `select current_user`
 * @throws RolesAnywhereError DATABASE_UNREACHABLE, DATABASE_REFUSED
 */
export async function logIn(connection: DatabaseConnection): Promise<string> {
  const { host, port, database, user, password, sslMode } = connection;
  const { Client } = await import('pg');
  const client = new Client({
    ...{ host, port, database, user },
    password: password ?? '',
    ssl: sslMode === 'disable' ? false : tlsOptionsOf(connection),
    connectionTimeoutMillis: patience,
    query_timeout: patience,
  });
  // One that is lost after its use must not end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>('select current_user as name');
    return rows[0]?.name ?? '';
  } catch (error) {
    throw refused(connection, error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** PostgreSQL documentation, appendix A: what has an SQLSTATE comes from the server. */
function refused({ user, database, host, sslMode }: DatabaseConnection, error: unknown): RolesAnywhereError {
  const code = errnoOf(error) ?? '';
  const message = error instanceof Error ? error.message : '';
  if (!/^[0-9A-Z]{5}$/.test(code)) {
    return new RolesAnywhereError('DATABASE_UNREACHABLE', `no login at ${host}: ${message}`, {
      cause: error,
    });
  }
  const hint = code.startsWith('28')
    ? sslMode === 'disable'
      ? 'the database may let nobody in without TLS: leave --sslmode out'
      : 'the database may have no such user (--auto-create makes it, or an administrator by create user) or no such group, or may let it in from other addresses alone'
    : code === '3D000'
      ? `there may be no database ${database}: name another with --database`
      : undefined;
  return new RolesAnywhereError('DATABASE_REFUSED', `the database refuses ${user}: ${message} (${code})`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

class Overdue extends Error {}

/** Waits for an event of a socket, for its error, or until it takes too long. */
function settled(socket: Socket, event: string): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Overdue());
    }, patience);
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      finish();
    };
    socket.once(event, (...values: unknown[]) => {
      end(() => {
        resolve(values);
      });
    });
    socket.once('error', (error) => {
      end(() => {
        reject(error);
      });
    });
    socket.once('close', () => {
      end(() => {
        reject(new Overdue());
      });
    });
  });
}
