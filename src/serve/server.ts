import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Resource } from './resource.ts';
import { textAnswer } from './resource.ts';

export interface ServerOptions {
  /** By path; `*` at the end of one stands for the rest of the path. */
  readonly resources: Readonly<Record<string, Resource>>;
  readonly isAllowedHost: (host: string) => boolean;
  /** Milliseconds, by a clock that nobody sets. */
  readonly elapsed: () => number;
  /** Hears of each answer: the resource's name, or `other`. */
  readonly onAnswer: (name: string, method: string, status: number) => void;
  /** Hears of requests that no AWS client sends. */
  readonly onRefusal: (why: string) => void;
}

const limits = {
  maxHeaderSize: 8 * 1024,
  // A request that is not whole after 30 s is cut off.
  headersTimeout: 30_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 10_000,
  // From Node.js 24 on, and a tenth less work: who sends no body is not waited for to send one.
  optimizeEmptyRequests: true,
};
/** Half the descriptors that Linux gives a process unless told: the others are for keys and the service. */
const mostConnections = 2048;
/** No request that we answer has a body; clients that send one are not read for long. */
const longestBody = 4096;

/** The HTTP side: what is refused whatever it asks for, which resource answers, and how its answer is sent. */
export function makeServer(options: ServerOptions): Server {
  const find = makeRouter(options.resources);
  const server = createServer(limits, (request, response) => {
    const resource = find(request.url ?? '');
    const done = (answer: Answer): void => {
      send(response, answer);
      options.onAnswer(resource?.name ?? 'other', request.method ?? '', answer.status);
    };
    const failed = (): void => {
      done(textAnswer(500, 'this is a defect of rolesanywhere'));
    };
    let answer: Answer | Promise<Answer>;
    try {
      answer = answerTo(options, request, resource);
    } catch {
      failed();
      return;
    }
    if (answer instanceof Promise) answer.then(done, failed);
    else done(answer);
  });
  server.maxConnections = mostConnections;
  // As many as fit: what stands behind Node's usual 2000 would not be seen, X-Forwarded-For included.
  server.maxHeadersCount = 0;
  return server;
}

/**
 * Ends a server: at once for those who are not asking anything, soon for the others.
 *
 * @param graceMilliseconds what requests under way have to end in
 */
export async function drain(server: Server, graceMilliseconds: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const done = new AbortController();
  const hurry = async (): Promise<void> => {
    const step = 50;
    for (let waited = 0; waited < graceMilliseconds; waited += step) {
      server.closeIdleConnections();
      await sleep(step, undefined, { signal: done.signal });
    }
    server.closeAllConnections();
  };
  hurry().catch(() => undefined);
  await closed;
  done.abort();
}

/** Ends all connections made until now, those that the kernel has yet to hand over included. */
export async function cutOffAll(server: Server): Promise<void> {
  // Between a timer and an immediate the event loop takes what has come.
  await sleep(1);
  await setImmediate();
  server.closeAllConnections();
}

type Router = (url: string) => Resource | undefined;

function makeRouter(resources: Readonly<Record<string, Resource>>): Router {
  const exact = new Map<string, Resource>();
  const below: [start: string, resource: Resource][] = [];
  for (const [path, resource] of Object.entries(resources)) {
    if (path.endsWith('*')) {
      below.push([path.slice(0, -1), resource]);
    } else {
      exact.set(path, resource);
      exact.set(`${path}/`, resource);
    }
  }
  return (url) => {
    const found = exact.get(url);
    if (found !== undefined) return found;
    const path = pathOf(url);
    return exact.get(path) ?? below.find(([start]) => path.startsWith(start))?.[1];
  };
}

/** Some clients join an endpoint that ends in a slash and a path that begins with one. */
function pathOf(url: string): string {
  const [path = ''] = url.split('?', 1);
  const single = path.replace(/\/{2,}/g, '/');
  if (!single.includes('%')) return single;
  try {
    return decodeURIComponent(single);
  } catch {
    return single;
  }
}

function answerTo(
  { isAllowedHost, onRefusal, elapsed }: ServerOptions,
  { headers, method }: IncomingMessage,
  resource: Resource | undefined,
): Answer | Promise<Answer> {
  const { host } = headers;
  if (host === undefined || !isAllowedHost(host)) {
    onRefusal('a request for another host');
    return textAnswer(403, 'this host name is not served here');
  }
  if (headers['x-forwarded-for'] !== undefined) {
    onRefusal('a request that a proxy forwarded');
    return textAnswer(400, 'forwarded requests are not answered');
  }
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > longestBody) {
    return textAnswer(413, 'no request here has a body', ['Connection', 'close']);
  }
  if (resource === undefined) return textAnswer(404, 'not found');
  if (method !== resource.method)
    return textAnswer(405, `only ${resource.method}`, ['Allow', resource.method]);
  return resource.answer(headers, elapsed());
}

function send(response: ServerResponse, { status, content, headers = [] }: Answer): void {
  response.writeHead(status, content.headers.concat(headers));
  response.end(content.body, content.encoding);
  // Who does not take its answers is cut off as well; as a rule the kernel has room for them.
  const { socket } = response.req;
  if (socket.writableLength > 0) socket.setTimeout(limits.requestTimeout);
}
