import type { ServiceError } from './service-error.ts';

/** What goes back over the wire, and what the request log says of it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** One operation of one emulated service: how it answers, and how it words an error. */
export interface Operation {
  readonly name: string;
  /** @throws ServiceError */
  run(now: Date, requestId: string): Answer | Promise<Answer>;
  fail(error: ServiceError, requestId: string): Answer;
}
