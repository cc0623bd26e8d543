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
  /** Names and values, flat, without those that every answer has. */
  readonly headers: readonly string[];
  readonly body: string;
}

const plain = ['Content-Type', 'text/plain'];
const json = ['Content-Type', 'application/json'];

export function textAnswer(status: number, body: string, headers: readonly string[] = []): Answer {
  return { status, headers: [...plain, ...headers], body };
}

export function jsonAnswer(status: number, body: object | string, headers: readonly string[] = []): Answer {
  return {
    status,
    headers: [...json, ...headers],
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}
