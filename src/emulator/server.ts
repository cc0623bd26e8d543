import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import type { Faults } from './faults.ts';
import type { HttpRequest } from './http-request.ts';
import { restJsonError } from './json-protocol.ts';
import type { Answer, Operation } from './operation.ts';
import type { RequestLogEntry } from './request-log.ts';
import { ServiceError } from './service-error.ts';

/** A certificate chain and its private key, PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

interface ServerOptions {
  readonly tls: TlsFiles | undefined;
  readonly faults: Faults;
  readonly now: () => Date;
  readonly onRequest: (entry: RequestLogEntry) => void;
  readonly route: (request: HttpRequest) => Operation;
}

const limits = {
  /** A leaf and five issuers with ML-DSA-87 keys are 60 KB of base64. */
  maxHeaderSize: 128 * 1024,
  headersTimeout: 20_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
  /** Without one a request is refused all the same, in the service's shape: the host must be signed. */
  requireHostHeader: false,
};
const maximumBody = 256 * 1024;

/** The HTTP side of the emulator: whatever arrives, it answers, logs and goes on. */
export function makeServer(options: ServerOptions): Server {
  const server =
    options.tls === undefined ? createServer(limits) : createTlsServer({ ...limits, ...options.tls });
  const listener = (message: IncomingMessage, response: ServerResponse): void => {
    serve(options, message, response).catch(() => {
      response.destroy();
    });
  };
  server.on('request', listener);
  server.on('checkExpectation', listener);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refuseConnection(options, error, socket);
  });
  return server;
}

async function serve(
  options: ServerOptions,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = randomUUID();
  let operation: Operation | undefined;
  let answer: Answer;
  let why: string | undefined;
  try {
    const request = await readRequest(message);
    if (request === undefined) {
      log(options, { ok: false, operation: 'unknown', status: 0, requestId, why: 'the client went away' });
      return;
    }
    operation = options.route(request);
    const fate = options.faults.next();
    if (fate.latencyMilliseconds > 0) {
      await sleep(fate.latencyMilliseconds, undefined, { ref: false });
    }
    if (fate.failure === 'reset') {
      reset(message.socket);
      log(options, { ok: false, operation: operation.name, status: 0, requestId, why: 'fault: reset' });
      return;
    }
    if (fate.failure !== undefined) {
      throw fate.failure;
    }
    answer = await operation.run(serviceTime(options), requestId);
  } catch (error) {
    const failure = error instanceof ServiceError ? error : internalError(error);
    why = failure.why;
    answer = (operation?.fail ?? restJsonError)(failure, requestId);
  }
  response.sendDate = false;
  response.writeHead(answer.status, {
    ...answer.headers,
    ...commonHeaders(options, requestId, answer.body),
    // What is left of a body that is too large is not waited for.
    ...(message.complete ? {} : { connection: 'close' }),
  });
  response.end(answer.body);
  log(options, {
    ok: answer.status < 400,
    operation: operation?.name ?? 'unknown',
    status: answer.status,
    requestId,
    ...(why === undefined ? {} : { why }),
    ...answer.details,
  });
}

/** Undefined when the client went away before the request was whole. */
async function readRequest(message: IncomingMessage): Promise<HttpRequest | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maximumBody) {
        throw new ServiceError('RequestEntityTooLargeException', 'The request body is too large');
      }
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ServiceError) {
      throw error;
    }
    return undefined;
  }
  // A client behind a plain HTTP proxy names the whole URL (RFC 9112, section 3.2.2).
  const target = (message.url ?? '').replace(/^https?:\/\/[^/?]*/i, '');
  const mark = target.indexOf('?');
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    headers.push([(message.rawHeaders[i] ?? '').toLowerCase(), message.rawHeaders[i + 1] ?? '']);
  }
  return {
    method: message.method ?? '',
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
    body: Buffer.concat(chunks),
  };
}

/** A TCP reset; TLS can only be broken off. */
function reset(socket: Socket): void {
  if (socket instanceof TLSSocket) {
    socket.destroy();
  } else {
    socket.resetAndDestroy();
  }
}

/** Bytes that are no HTTP request, too large a header, or too slow a client: answered on the bare socket. */
function refuseConnection(options: ServerOptions, error: NodeJS.ErrnoException, socket: Duplex): void {
  const failure = connectionFailure(error);
  if (failure === undefined || !socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = randomUUID();
  const { status, headers, body } = restJsonError(failure);
  const fields = { ...headers, ...commonHeaders(options, requestId, body), connection: 'close' };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`, () => {
    socket.destroy();
  });
  log(options, { ok: false, operation: 'unknown', status, requestId, why: failure.why });
}

/** Undefined for a connection that is lost, or never came to be because TLS failed. */
function connectionFailure({ code }: NodeJS.ErrnoException): ServiceError | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new ServiceError('RequestHeaderFieldsTooLargeException', 'The request headers are too large');
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new ServiceError('RequestTimeoutException', 'The request took too long to arrive');
  }
  return code?.startsWith('HPE_') === true
    ? new ServiceError('BadRequestException', 'Bad request', `no HTTP request (${code})`)
    : undefined;
}

/** What every answer carries; the date is the service's, skew and all. */
function commonHeaders(options: ServerOptions, requestId: string, body: string): Record<string, string> {
  return {
    'content-length': String(Buffer.byteLength(body)),
    date: serviceTime(options).toUTCString(),
    'x-amzn-requestid': requestId,
  };
}

function serviceTime({ now, faults }: ServerOptions): Date {
  return new Date(now().getTime() + faults.skewMilliseconds);
}

/** A listener that throws must not end the server. */
function log(options: ServerOptions, entry: RequestLogEntry): void {
  try {
    options.onRequest(entry);
  } catch {
    // the listener's own affair
  }
}

function internalError(error: unknown): ServiceError {
  const why = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown error';
  return new ServiceError(
    'InternalServerException',
    'Internal server error',
    `defect of the emulator: ${why}`,
  );
}
