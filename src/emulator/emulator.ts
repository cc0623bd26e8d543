import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { RolesAnywhereError } from '../errors.ts';
import { listen, reachableHost } from '../runtime/listen.ts';
import { makeAccount, profileArn, roleArn, trustAnchorArn } from './account.ts';
import { parseFaults } from './faults.ts';
import { readGiven } from './files.ts';
import { openPostgres } from './postgres.ts';
import type { RequestLogEntry } from './request-log.ts';
import { route } from './router.ts';
import type { TlsFiles } from './server.ts';
import { makeServer } from './server.ts';
import { Sessions } from './sessions.ts';
import { readAnchors, readLists } from './trust.ts';
import { loadX509 } from './x509.ts';

export type { RequestLogEntry } from './request-log.ts';

export interface EmulatorOptions {
  /** TCP port; a free one by default. */
  readonly port?: number;
  /** Address to listen on, IPv4 or IPv6; 127.0.0.1 by default. */
  readonly bind?: string;
  /** Paths of PEM files with the trust anchor's certificates. Without them, a throw-away authority is made. */
  readonly trustAnchors?: readonly string[];
  /** Paths of certificate revocation lists, PEM or DER: those of a trust anchor, or of an intermediate below one. */
  readonly crls?: readonly string[];
  /** Directory that the throw-away authority's `ca.pem`, `leaf.pem` and `leaf.key` are written to. */
  readonly pkiDirectory?: string;
  /** Caps what sessions last, in seconds; below the service's minimum of 900 too, so that expiry can be tested. */
  readonly sessionTtlSeconds?: number;
  /** Fault specifications: see {@link parseFaults}. */
  readonly faults?: readonly string[];
  /** Paths of the PEM certificate chain and private key to serve HTTPS with; both or neither. */
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  /**
   * URI of a PostgreSQL database, whose roles get the passwords that the Redshift APIs issue; its user must be allowed to
   * create roles. It may lack a password: PGPASSWORD or a passfile tell it then.
   */
  readonly postgresUrl?: string;
  /** Hears of every request, after it was answered. */
  readonly onRequest?: (entry: RequestLogEntry) => void;
  /** The clock; the `skew` fault comes on top. */
  readonly now?: () => Date;
}

/** A running local Roles Anywhere. */
export interface Emulator extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly endpoint: string;
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

/**
 * Starts a local Roles Anywhere that verifies every request from the specification, and for the sessions that it issues
 * STS GetCallerIdentity and the credential APIs of Redshift.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, FILE_UNREADABLE, FILE_UNWRITABLE, CERTIFICATE_INVALID,
 * CERTIFICATE_UNSUITABLE, PORT_UNAVAILABLE, DATABASE_UNREACHABLE, DATABASE_REFUSED
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const faults = parseFaults(options.faults ?? []);
  checkOptions(options);
  const now = options.now ?? ((): Date => new Date());
  const tls = await readTls(options);
  const x509 = await loadX509();
  const anchors = await readAnchors(x509, options, now());
  const service = {
    x509,
    account: makeAccount(anchors, await readLists(x509, options.crls ?? [], anchors)),
    sessions: new Sessions(),
    sessionTtlSeconds: options.sessionTtlSeconds,
    database: options.postgresUrl === undefined ? undefined : await openPostgres(options.postgresUrl),
  };
  const server = makeServer({
    tls,
    faults,
    now,
    onRequest: options.onRequest ?? (() => undefined),
    route: (request) => route(service, request),
  });
  await listen(server, { host: options.bind ?? '127.0.0.1', port: options.port ?? 0 });
  const address = server.address() as AddressInfo;
  const close = once(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  );
  return {
    endpoint: `${tls === undefined ? 'http' : 'https'}://${reachableHost(address)}:${address.port}`,
    trustAnchorArn,
    profileArn,
    roleArn,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function checkOptions(options: EmulatorOptions): void {
  const { port, sessionTtlSeconds: ttl } = options;
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `port ${port} is not between 0 and 65535`);
  }
  if (ttl !== undefined && !(Number.isInteger(ttl) && ttl >= 1 && ttl <= 43_200)) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      `a session lifetime of ${ttl} s is not between 1 and 43200 s`,
    );
  }
  if ((options.tlsCertificate === undefined) !== (options.tlsKey === undefined)) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      'TLS needs a certificate and a key, and only one was given',
    );
  }
  if (options.pkiDirectory !== undefined && (options.trustAnchors ?? []).length > 0) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      'a directory for a throw-away authority makes no sense beside trust anchors of your own',
      { hint: 'give one of the two' },
    );
  }
  if ((options.crls ?? []).length > 0 && (options.trustAnchors ?? []).length === 0) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      'a revocation list needs a trust anchor of your own: the throw-away authority revokes nothing',
      { hint: 'give the authority that issued the list as a trust anchor' },
    );
  }
}

/** The files as they are, once OpenSSL takes them; it would refuse them only when the server is made. */
async function readTls({ tlsCertificate, tlsKey }: EmulatorOptions): Promise<TlsFiles | undefined> {
  if (tlsCertificate === undefined || tlsKey === undefined) {
    return undefined;
  }
  const [cert, key] = await Promise.all([
    readGiven(tlsCertificate, 'TLS certificate'),
    readGiven(tlsKey, 'TLS key'),
  ]);
  const files = { cert: cert.toString('latin1'), key: key.toString('latin1') };
  try {
    createSecureContext(files);
  } catch (error) {
    throw new RolesAnywhereError(
      'CERTIFICATE_INVALID',
      `cannot serve TLS with certificate ${tlsCertificate} and key ${tlsKey}`,
      { hint: "both must be PEM, the key unencrypted and the certificate's own", cause: error },
    );
  }
  return files;
}

function once<T>(action: () => T): () => T {
  let result: { value: T } | undefined;
  return () => (result ??= { value: action() }).value;
}
