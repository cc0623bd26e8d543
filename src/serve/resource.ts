import type { IncomingHttpHeaders } from 'node:http';

/** One thing that the server answers for. */
export interface Resource {
  /** What metrics and logs call it: never the path that was sent. */
  readonly name: string;
  readonly method: 'GET' | 'PUT';
  /** @param rest what the path has behind the resource's own */
  answer(headers: IncomingHttpHeaders, rest: string): Answer | Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  /** Names and values, flat: the form that Node.js sends fastest. */
  readonly headers: string[];
  readonly body: string;
}

/** @param headers further ones, flat */
export function answer(
  status: number,
  contentType: string,
  body: string,
  headers: readonly string[] = [],
): Answer {
  const length = String(Buffer.byteLength(body));
  return { status, headers: ['Content-Type', contentType, 'Content-Length', length, ...headers], body };
}

export function textAnswer(status: number, body: string, headers?: readonly string[]): Answer {
  return answer(status, 'text/plain', body, headers);
}

export function jsonAnswer(status: number, body: object | string, headers?: readonly string[]): Answer {
  return answer(status, 'application/json', typeof body === 'string' ? body : JSON.stringify(body), headers);
}
