import type { IncomingHttpHeaders } from 'node:http';

/** One thing that the server answers for. */
export interface Resource {
  /** What metrics and logs call it: never the path that was sent. */
  readonly name: string;
  readonly method: 'GET' | 'PUT';
  /** @param elapsed the moment of the request, in milliseconds of `Clock.elapsed`: to ask a clock takes its time */
  answer(headers: IncomingHttpHeaders, elapsed: number): Answer | Promise<Answer>;
}

/** A body, measured once however often it is sent. */
export interface Content {
  readonly body: string;
  readonly encoding: 'latin1' | 'utf8';
  /** Its type and length: names and values, flat, the form that Node.js sends fastest. */
  readonly headers: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly content: Content;
  /** Further ones, flat. */
  readonly headers?: readonly string[] | undefined;
}

export function content(type: string, body: string): Content {
  const length = Buffer.byteLength(body);
  return {
    body,
    // ASCII is the same in both, and Node.js writes it faster when told.
    encoding: length === body.length ? 'latin1' : 'utf8',
    headers: ['Content-Type', type, 'Content-Length', String(length)],
  };
}

export function textContent(body: string): Content {
  return content('text/plain', body);
}

export function jsonContent(body: object): Content {
  return content('application/json', JSON.stringify(body));
}

export function textAnswer(status: number, body: string, headers?: readonly string[]): Answer {
  return { status, content: textContent(body), headers };
}

export function jsonAnswer(status: number, body: object, headers?: readonly string[]): Answer {
  return { status, content: jsonContent(body), headers };
}
