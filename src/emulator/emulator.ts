import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { isIPv6 } from 'node:net';
import type { Server } from 'node:http';
import { createSecureContext } from 'node:tls';
import { RolesAnywhereError } from '../errors.ts';
import { makeAccount, profileArn, roleArn, trustAnchorArn } from './account.ts';
import { makeAuthority, openAuthority } from './authority.ts';
import type { EmulatorCertificate } from './certificate.ts';
import { readPemCertificates } from './certificate.ts';
import { anchorDefect } from './certificate-path.ts';
import { parseFaults } from './faults.ts';
import { route } from './router.ts';
import type { RequestLogEntry, TlsFiles } from './server.ts';
import { makeServer } from './server.ts';
import { Sessions } from './sessions.ts';
import type { X509 } from './x509.ts';
import { loadX509 } from './x509.ts';

export type { RequestLogEntry } from './server.ts';

export interface EmulatorOptions {
  /** TCP port; a free one by default. */
  readonly port?: number;
  /** Address to listen on, IPv4 or IPv6; 127.0.0.1 by default. */
  readonly bind?: string;
  /** Paths of PEM files with the trust anchor's certificates. Without them, a throw-away authority is made. */
  readonly trustAnchors?: readonly string[];
  /** Directory that the throw-away authority's `ca.pem`, `leaf.pem` and `leaf.key` are written to. */
  readonly pkiDirectory?: string;
  /** Caps what sessions last, in seconds; below the service's minimum of 900 too, so that expiry can be tested. */
  readonly sessionTtlSeconds?: number;
  /** Fault specifications: see {@link parseFaults}. */
  readonly faults?: readonly string[];
  /** Paths of the PEM certificate chain and private key to serve HTTPS with; both or neither. */
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
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
 * Starts a local Roles Anywhere that verifies every request from the specification, and STS GetCallerIdentity for the
 * sessions that it issues.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, FILE_UNREADABLE, FILE_UNWRITABLE, CERTIFICATE_INVALID,
 * CERTIFICATE_UNSUITABLE, PORT_UNAVAILABLE
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const faults = parseFaults(options.faults ?? []);
  checkOptions(options);
  const now = options.now ?? ((): Date => new Date());
  const tls = await readTls(options);
  const x509 = await loadX509();
  const service = {
    x509,
    account: makeAccount(await readAnchors(x509, options, now())),
    sessions: new Sessions(),
    sessionTtlSeconds: options.sessionTtlSeconds,
  };
  const server = makeServer({
    tls,
    faults,
    now,
    onRequest: options.onRequest ?? (() => undefined),
    route: (request) => route(service, request),
  });
  const address = await listen(server, options.port ?? 0, options.bind ?? '127.0.0.1');
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
    endpoint: `${tls === undefined ? 'http' : 'https'}://${host(address)}:${address.port}`,
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
}

async function readAnchors(x509: X509, options: EmulatorOptions, now: Date): Promise<EmulatorCertificate[]> {
  const files = options.trustAnchors ?? [];
  if (files.length === 0) {
    const { caPem } =
      options.pkiDirectory === undefined
        ? await makeAuthority(x509, now)
        : await openAuthority(x509, options.pkiDirectory, now);
    return [...readPemCertificates(x509, caPem)];
  }
  const anchors = await Promise.all(files.map((file) => readAnchorFile(x509, file)));
  return anchors.flat();
}

async function readAnchorFile(x509: X509, file: string): Promise<readonly EmulatorCertificate[]> {
  const text = await read(file);
  let anchors: readonly EmulatorCertificate[];
  try {
    anchors = readPemCertificates(x509, text);
  } catch (error) {
    throw new RolesAnywhereError('CERTIFICATE_INVALID', `cannot parse trust anchor ${file}`, {
      cause: error,
    });
  }
  if (anchors.length === 0) {
    throw new RolesAnywhereError('CERTIFICATE_INVALID', `trust anchor ${file} holds no PEM certificate`);
  }
  for (const anchor of anchors) {
    const defect = anchorDefect(anchor);
    if (defect !== undefined) {
      throw new RolesAnywhereError(
        'CERTIFICATE_UNSUITABLE',
        `trust anchor ${file} (${anchor.subject.text}) ${defect}`,
        { hint: 'a trust anchor is a CA certificate with keyCertSign, signed with SHA-256 or stronger' },
      );
    }
  }
  return anchors;
}

/** The files as they are, once OpenSSL takes them; it would refuse them only when the server is made. */
async function readTls({ tlsCertificate, tlsKey }: EmulatorOptions): Promise<TlsFiles | undefined> {
  if (tlsCertificate === undefined || tlsKey === undefined) {
    return undefined;
  }
  const files = { cert: await read(tlsCertificate), key: await read(tlsKey) };
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

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new RolesAnywhereError('FILE_UNREADABLE', `cannot read ${file}: ${code}`, { cause: error });
  }
}

function listen(server: Server, port: number, bind: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = `cannot listen on ${bind} port ${port}: ${error.code ?? error.message}`;
      reject(
        new RolesAnywhereError('PORT_UNAVAILABLE', reason, {
          cause: error,
          ...(error.code === 'EADDRINUSE'
            ? { hint: 'another process listens there; choose another port' }
            : {}),
        }),
      );
    });
    server.listen(port, bind, () => {
      resolve(server.address() as AddressInfo);
    });
  });
}

/** How a client on this machine reaches the address: the wildcard addresses stand for loopback. */
function host({ address }: AddressInfo): string {
  const reachable = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return isIPv6(reachable) ? `[${reachable}]` : reachable;
}

function once<T>(action: () => T): () => T {
  let result: { value: T } | undefined;
  return () => (result ??= { value: action() }).value;
}
