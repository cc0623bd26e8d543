import { createPrivateKey, randomBytes, sign, webcrypto, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from '../../src/aws/create-session.ts';
import type { Certificate } from '../../src/certificate/certificate.ts';
import { loadX509 } from '../../src/emulator/x509.ts';
import type { Identity } from '../../src/identity/identity.ts';

/** A request as the service got it. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** An answer; a function answers (or does not) by itself, on the bare socket. */
export type Scripted =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | ((socket: Duplex) => void);

export interface LocalService extends AsyncDisposable {
  readonly port: number;
  readonly received: Received[];
}

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A server on a free port that gives the scripted answers in turn, the last one from then on. */
export async function localService(
  answers: readonly Scripted[],
  tls?: ServerCertificate & { readonly maxVersion?: 'TLSv1.1' },
): Promise<LocalService> {
  const received: Received[] = [];
  const server = tls === undefined ? createServer() : createTlsServer({ ...tls, minVersion: 'TLSv1' });
  server.on('request', (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request;
      received.push({ method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() });
      const answer = answers[Math.min(received.length, answers.length) - 1] ?? {};
      if (typeof answer === 'function') {
        answer(request.socket);
        return;
      }
      response.writeHead(answer.status ?? 201, answer.headers);
      response.end(answer.body ?? sessionBody());
    });
  });
  return { received, ...(await listening(server)) };
}

export interface LocalProxy extends AsyncDisposable {
  readonly port: number;
  /** `CONNECT host:port` or `POST http://…`, with the Proxy-Authorization that came along. */
  readonly received: { readonly line: string; readonly authorization: string | undefined }[];
}

/** A proxy that leads every host name to 127.0.0.1, or refuses all with a status. */
export async function localProxy(
  options: { refuse?: number; accept?: number; tls?: ServerCertificate } = {},
): Promise<LocalProxy> {
  const received: LocalProxy['received'] = [];
  const server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
  server.on('connect', (request, socket: Duplex) => {
    const authorization = request.headers['proxy-authorization'];
    received.push({ line: `CONNECT ${request.url ?? ''}`, authorization });
    socket.on('error', () => undefined);
    if (options.refuse !== undefined) {
      socket.end(`HTTP/1.1 ${options.refuse} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const port = Number(request.url?.split(':').at(-1));
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write(`HTTP/1.1 ${options.accept ?? 200} OK\r\n\r\n`);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  server.on('request', (request, response) => {
    const authorization = request.headers['proxy-authorization'];
    received.push({ line: `${request.method ?? ''} ${request.url ?? ''}`, authorization });
    response.writeHead(options.refuse ?? 201);
    response.end(options.refuse === undefined ? sessionBody() : '');
  });
  return { received, ...(await listening(server)) };
}

async function listening(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** What the service answers when all is well; replacements go into `credentials`. */
export function sessionBody(credentials: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    credentialSet: [
      {
        assumedRoleUser: { arn: 'arn:aws:sts::123456789012:assumed-role/R/2a', assumedRoleId: 'AROA:2a' },
        credentials: {
          accessKeyId: 'ASIAEXAMPLE',
          secretAccessKey: 'canary-secret',
          sessionToken: 'canary-token',
          expiration: new Date(Date.now() + 3_600_000).toISOString(),
          ...credentials,
        },
        packedPolicySize: 1,
        roleArn: 'arn:aws:iam::123456789012:role/R',
        sourceIdentity: 'CN=vector-rsa',
      },
    ],
    subjectArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:subject/s',
  });
}

/** No waiting, no environment's proxy. */
export const quick: ConnectionOptions = { proxy: 'none', sleep: () => Promise.resolve(), random: () => 0 };

/** The identities of the signing vectors; `signatures` counts. */
export function vectorIdentity(index = 0): Identity & { readonly signatures: string[] } {
  const file = new URL('../sigv4/vectors/signed-requests.json', import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as {
    cases: { key: string; certificate: string; chain: string[] }[];
  };
  const one = cases[index];
  if (one === undefined) throw new Error(`no vector ${index}`);
  const key = createPrivateKey(one.key);
  const signatures: string[] = [];
  return {
    signatures,
    certificate: certificate(one.certificate),
    chain: one.chain.map(certificate),
    signer: {
      keyType: key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec',
      publicKey: new Uint8Array(),
      sign: (message) => {
        signatures.push(Buffer.from(message).toString());
        return Promise.resolve(sign('sha256', message, key));
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function certificate(pem: string): Certificate {
  const { raw, serialNumber } = new X509Certificate(pem);
  return { der: raw, serialNumber: BigInt(`0x${serialNumber}`) } as unknown as Certificate;
}

export interface Authority {
  readonly pem: string;
  issue(names: readonly string[], validity?: { from?: Date; to?: Date }): Promise<ServerCertificate>;
}

const day = 86_400_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A throw-away authority for TLS servers. */
export async function makeAuthority(): Promise<Authority> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const ca = await x509.X509CertificateGenerator.createSelfSigned(
    {
      // Of its own: two authorities of one name fail in another way than a stranger does.
      name: `CN=Local test authority ${randomBytes(4).toString('hex')}`,
      keys,
      signingAlgorithm: algorithm,
      serialNumber: randomBytes(8).toString('hex'),
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    },
    webcrypto,
  );
  return {
    pem: ca.toString('pem'),
    issue: async (names, { from = new Date(Date.now() - day), to = new Date(Date.now() + day) } = {}) => {
      const leafKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const leaf = await x509.X509CertificateGenerator.create(
        {
          subject: 'CN=local service',
          issuer: ca.subject,
          signingKey: keys.privateKey,
          publicKey: leafKeys.publicKey,
          signingAlgorithm: algorithm,
          serialNumber: randomBytes(8).toString('hex'),
          notBefore: from,
          notAfter: to,
          extensions: [
            new x509.SubjectAlternativeNameExtension(
              names.map((value) => ({ type: /^[\d.]+$/u.test(value) ? 'ip' : 'dns', value })),
            ),
          ],
        },
        webcrypto,
      );
      const key = await webcrypto.subtle.exportKey('pkcs8', leafKeys.privateKey);
      return {
        cert: leaf.toString('pem'),
        key: `-----BEGIN PRIVATE KEY-----\n${Buffer.from(key).toString('base64')}\n-----END PRIVATE KEY-----\n`,
      };
    },
  };
}
