import { type Answer, type Exchange, hangUp, TransportError } from '../exchange.ts';

/** What Bun's `fetch` takes beyond the standard (https://bun.com/docs/runtime/networking/fetch). */
interface FetchOptions extends RequestInit {
  /** False goes direct; absent, the environment would decide. */
  readonly proxy: string | false;
  readonly tls?: { readonly rejectUnauthorized: boolean; readonly ca?: string };
  readonly decompress: boolean;
}

/** As on Node.js; Bun's own limit is some 300 kB. */
const maxHeaderBytes = 16 * 1024;

/**
 * What transport.ts does on Node.js, by the runtime's own `fetch`: `node:https` takes three times as long to load.
 * It does not tell when the connection stands, so that both limits are one.
 *
 * @throws TransportError or the runtime's own error, whose codes are Node's
 */
export async function exchange(request: Exchange): Promise<Answer> {
  const { url, method, body, ca, verifyTls, proxy, maxAnswerBytes } = request;
  const abort = new AbortController();
  const limit = (code: TransportError['code'], milliseconds: number) =>
    setTimeout(() => {
      abort.abort(new TransportError(code));
    }, milliseconds);
  const timers = [limit('OUT_OF_TIME', request.timeLeft), limit('NO_ANSWER', request.answerTimeout)];
  const options: FetchOptions = {
    method,
    headers: { ...request.headers, connection: 'close' },
    body,
    proxy: proxy?.href ?? false,
    signal: abort.signal,
    redirect: 'manual',
    // No connection is kept, and nothing is asked for that we did not sign.
    keepalive: false,
    decompress: false,
    // Both said outright: NODE_TLS_REJECT_UNAUTHORIZED has no say then.
    tls: { rejectUnauthorized: verifyTls, ...(ca === undefined ? {} : { ca: ca.join('\n') }) },
  };
  try {
    const response = await withoutNoProxy(() => fetch(url, options));
    const headers = flatten(response.headers);
    if (sizeOf(headers) > maxHeaderBytes) throw headerOverflow();
    const answer = await collect(response, maxAnswerBytes);
    return { status: response.status, headers, body: answer };
  } catch (error) {
    throw translate(error);
  } finally {
    for (const timer of timers) clearTimeout(timer);
    abort.abort();
  }
}

/** NO_PROXY has been heeded by our rules (aws/proxy.ts); fetch, as it starts, would apply its own once more. */
function withoutNoProxy<T>(start: () => T): T {
  const { NO_PROXY, no_proxy } = process.env;
  delete process.env['NO_PROXY'];
  delete process.env['no_proxy'];
  try {
    return start();
  } finally {
    if (NO_PROXY !== undefined) process.env['NO_PROXY'] = NO_PROXY;
    if (no_proxy !== undefined) process.env['no_proxy'] = no_proxy;
  }
}

async function collect({ body }: Response, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) throw new TransportError('ANSWER_TOO_LARGE');
  }
  return Buffer.concat(chunks).toString('utf8');
}

function flatten(headers: Headers): Answer['headers'] {
  const flat: Record<string, string> = {};
  // Set-Cookie comes once for each.
  for (const [name, value] of headers) flat[name] = name in flat ? `${flat[name] ?? ''}, ${value}` : value;
  return flat;
}

function sizeOf(headers: Answer['headers']): number {
  return Object.entries(headers).flat().join('').length;
}

function headerOverflow(): Error {
  return Object.assign(new Error('Header overflow'), { code: 'HPE_HEADER_OVERFLOW' });
}

/** The few errors that Bun does not call by Node's names. */
function translate(error: unknown): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_PROXY_TUNNEL') {
    const status = /\b\d{3}\b/.exec(message)?.[0];
    return new TransportError('PROXY_REFUSED', Number(status));
  }
  if (code === 'UnrequestedUpgrade') return hangUp();
  if (code === 'ResponseHeadersTooLarge') return headerOverflow();
  // Its parser's errors alone are in lower case.
  return /[a-z]/.test(code) ? Object.assign(new Error(message), { code: `HPE_${code}` }) : error;
}
