// Node's own modules are imported outright: every exchange needs them, and a dynamic import costs the start of the
// ESM loader, some 5 ms.
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure, type RequestOptions } from 'node:https';

/** One HTTP exchange, as raw as it goes: no retry, no redirect, no interpretation. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  /** `host` must be among them: it was signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** PEM certificates to trust instead of the runtime's own. */
  readonly ca?: readonly string[] | undefined;
  readonly verifyTls: boolean;
  /** The proxy to go through; its user name and password are sent to it alone. */
  readonly proxy?: URL | undefined;
  /** Milliseconds until the connection, TLS included, stands. */
  readonly connectTimeout: number;
  /** Milliseconds from there until the whole answer is here. */
  readonly answerTimeout: number;
  readonly maxAnswerBytes: number;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** What the runtime has no error code of its own for. */
export type TransportFailure = 'CONNECT_TIMEOUT' | 'ANSWER_TIMEOUT' | 'ANSWER_TOO_LARGE' | 'PROXY_REFUSED';

export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportFailure;
  /** The proxy's answer to CONNECT. */
  readonly status: number | undefined;

  constructor(code: TransportFailure, status?: number) {
    super(code);
    this.code = code;
    this.status = status;
  }
}

/**
 * Sends one request and reads the whole answer.
 *
 * @throws TransportError, the signal's reason, or the runtime's own error (Node's system, TLS and parser errors)
 */
export async function exchange(request: Exchange): Promise<Answer> {
  return request.proxy === undefined ? direct(request) : proxied(request, request.proxy);
}

function tlsOptions({ ca, verifyTls }: Exchange) {
  return {
    // Node's own minimum, said here because NODE_OPTIONS can lower it.
    minVersion: 'TLSv1.2' as const,
    rejectUnauthorized: verifyTls,
    // Absent where not needed: giving one makes Node parse all of it for this connection.
    ...(ca === undefined ? {} : { ca: [...ca] }),
  };
}

function direct(request: Exchange): Promise<Answer> {
  const secure = request.url.protocol === 'https:';
  const open = secure ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const options: RequestOptions & { autoSelectFamilyAttemptTimeout: number } = {
      method: request.method,
      headers: request.headers,
      // A connection of its own: sessions are opened once in an hour, there is nothing to keep alive.
      agent: false,
      signal: request.signal,
      // Node gives each address 250 ms, too little for a far region over a slow line.
      autoSelectFamilyAttemptTimeout: 1000,
      ...(secure ? tlsOptions(request) : {}),
    };
    const outgoing = open(request.url, options);
    let overdue: TransportError | undefined;
    const limit = (code: TransportFailure, milliseconds: number) =>
      setTimeout(() => {
        overdue = new TransportError(code);
        outgoing.destroy();
      }, milliseconds);
    let timer = limit('CONNECT_TIMEOUT', request.connectTimeout);
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      reject(overdue ?? (error as Error));
    };
    outgoing.on('error', fail);
    outgoing.on('socket', (socket) => {
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        timer = limit('ANSWER_TIMEOUT', request.answerTimeout);
      });
    });
    outgoing.on('response', (answer: IncomingMessage) => {
      collect(answer, request.maxAnswerBytes).then((body) => {
        clearTimeout(timer);
        resolve({ status: answer.statusCode ?? 0, headers: flatten(answer.headers), body });
      }, fail);
    });
    outgoing.end(request.body);
  });
}

/** Through a proxy: CONNECT for https, the absolute URL for http. */
async function proxied(request: Exchange, proxy: URL): Promise<Answer> {
  const { Pool, ProxyAgent, request: send } = await import('undici');
  const tls = { ...tlsOptions(request), timeout: request.connectTimeout };
  const agent = new ProxyAgent({
    uri: proxy.origin,
    ...(proxy.username === '' && proxy.password === '' ? {} : { token: basic(proxy) }),
    proxyTls: tls,
    requestTls: tls,
    proxyTunnel: request.url.protocol === 'https:',
    // Without this a proxy that never answers CONNECT is waited for for five minutes.
    clientFactory: (origin, options) =>
      new Pool(origin, { ...options, headersTimeout: request.connectTimeout }),
  });
  // undici heeds the signal only once the tunnel stands; we do before that too.
  const aborted = new Promise<never>((_resolve, reject) => {
    request.signal.addEventListener('abort', () => {
      reject(request.signal.reason as Error);
    });
  });
  const answered = async (): Promise<Answer> => {
    const answer = await send(request.url, {
      dispatcher: agent,
      method: request.method,
      headers: request.headers,
      body: request.body,
      signal: request.signal,
      headersTimeout: request.answerTimeout,
      bodyTimeout: request.answerTimeout,
    });
    const body = await collect(answer.body, request.maxAnswerBytes);
    return { status: answer.statusCode, headers: flatten(answer.headers), body };
  };
  try {
    return await Promise.race([answered(), aborted]);
  } catch (error) {
    // undici says it in words alone: to CONNECT the first, to a whole URL the second.
    const words = error instanceof Error ? error.message : '';
    const refusal = /^Proxy (?:response|Authentication Required) \((\d+)\)/u.exec(words);
    if (refusal !== null) throw new TransportError('PROXY_REFUSED', Number(refusal[1]));
    throw error;
  } finally {
    // Not awaited: it waits for a tunnel that is still being asked for.
    agent.destroy().catch(() => undefined);
  }
}

async function collect(stream: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    // Leaving the loop destroys the stream, and with it the connection.
    if (size > limit) throw new TransportError('ANSWER_TOO_LARGE');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Answer['headers'] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function basic(proxy: URL): string {
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}
