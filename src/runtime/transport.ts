// Node's own modules are imported outright: every exchange needs them, and a dynamic import costs the start of the
// ESM loader, some 5 ms.
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure, type RequestOptions } from 'node:https';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import {
  type Answer,
  type Exchange,
  hangUp,
  limitTime,
  type TimeLimits,
  TransportError,
} from './exchange.ts';

/**
 * Sends one request and reads the whole answer.
 *
 * @throws TransportError or the runtime's own error (Node's system, TLS and parser errors)
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
      // Node gives each address 250 ms, too little for a far region over a slow line.
      autoSelectFamilyAttemptTimeout: 1000,
      ...(secure ? tlsOptions(request) : {}),
    };
    const outgoing = open(request.url, options);
    const limits = limitTime(request, (error) => {
      outgoing.destroy();
      fail(error);
    });
    const fail = (error: Error): void => {
      limits.stop();
      reject(error);
    };
    // Some ends come without an error, as after an answer that switches protocols.
    const hungUp = (): void => {
      fail(hangUp());
    };
    outgoing.on('error', fail);
    outgoing.on('close', hungUp);
    outgoing.on('socket', (socket) => {
      socket.once(secure ? 'secureConnect' : 'connect', limits.connected);
    });
    outgoing.on('response', (answer: IncomingMessage) => {
      outgoing.off('close', hungUp);
      collect(answer, request.maxAnswerBytes).then((body) => {
        limits.stop();
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
  let limits: TimeLimits | undefined;
  // Our own limits, as without a proxy: undici's begin anew with each byte.
  const overdue = new Promise<never>((_resolve, reject) => {
    limits = limitTime(request, reject);
  });
  const agent = new ProxyAgent({
    uri: proxy.origin,
    ...(proxy.username === '' && proxy.password === '' ? {} : { token: basic(proxy) }),
    proxyTls: tls,
    requestTls: tls,
    proxyTunnel: request.url.protocol === 'https:',
    clientFactory: (origin, options) => {
      const pool = new Pool(origin, options);
      const connect = pool.connect.bind(pool);
      return Object.assign(pool, { connect: (asked: Dispatcher.ConnectOptions) => tunnel(connect(asked)) });
    },
    factory: (origin, options) => new Pool(origin, options).on('connect', () => limits?.connected()),
  });
  const answered = async (): Promise<Answer> => {
    const answer = await send(request.url, {
      dispatcher: agent,
      method: request.method,
      headers: request.headers,
      body: request.body,
    });
    const body = await collect(answer.body, request.maxAnswerBytes);
    return { status: answer.statusCode, headers: flatten(answer.headers), body };
  };
  try {
    return await Promise.race([answered(), overdue]);
  } catch (error) {
    // What undici makes of a refusal of a whole URL; it keeps the answer to itself.
    const refused = error instanceof Error && error.message.startsWith('Proxy Authentication Required');
    throw refused ? new TransportError('PROXY_REFUSED', 407) : error;
  } finally {
    limits?.stop();
    // Not awaited: it waits for a tunnel that is still being asked for.
    agent.destroy().catch(() => undefined);
  }
}

/** What a proxy answered to CONNECT, as undici should take it. */
async function tunnel(asked: Promise<Dispatcher.ConnectData>): Promise<Dispatcher.ConnectData> {
  const answer = await asked.catch((error: unknown) => {
    // At this code of its own undici would ask again, for ever and without a pause.
    throw (error as NodeJS.ErrnoException).code === 'UND_ERR_SOCKET' ? hangUp() : error;
  });
  if (answer.statusCode < 200 || answer.statusCode > 299) {
    answer.socket.on('error', () => undefined).destroy();
    throw new TransportError('PROXY_REFUSED', answer.statusCode);
  }
  // Any 2xx will do (RFC 9110, section 9.3.6); undici knows this one alone.
  return { ...answer, statusCode: 200 };
}

/** By events: `for await` takes half a millisecond longer. */
function collect(stream: Readable, limit: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    stream.on('data', (chunk: Uint8Array) => {
      size += chunk.length;
      chunks.push(chunk);
      // Takes the connection along.
      if (size > limit) stream.destroy(new TransportError('ANSWER_TOO_LARGE'));
    });
    stream.on('end', () => {
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
    stream.on('error', reject);
    stream.on('close', () => {
      reject(hangUp());
    });
  });
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
