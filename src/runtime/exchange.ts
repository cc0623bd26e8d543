// What every runtime's transport has in common: transport.ts on Node.js, bun/transport.ts in the standalone executable.

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
  /** Milliseconds for all of it: what is left of the caller's time. */
  readonly timeLeft: number;
}

export interface Answer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** What the runtime has no error code of its own for. */
export type TransportFailure =
  | 'CONNECT_TIMEOUT'
  | 'ANSWER_TIMEOUT'
  // One of the two, where the runtime does not tell them apart.
  | 'NO_ANSWER'
  | 'OUT_OF_TIME'
  | 'ANSWER_TOO_LARGE'
  | 'PROXY_REFUSED';

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

/** A connection that broke off, as Node.js itself calls it. */
export function hangUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
}

export interface TimeLimits {
  /** From here on the answer has its time. */
  readonly connected: () => void;
  readonly stop: () => void;
}

/** By timers and no AbortSignal, which takes half a millisecond longer. */
export function limitTime(
  { connectTimeout, answerTimeout, timeLeft }: Exchange,
  overdue: (error: TransportError) => void,
): TimeLimits {
  const start = (code: TransportFailure, milliseconds: number) =>
    setTimeout(() => {
      overdue(new TransportError(code));
    }, milliseconds);
  const whole = start('OUT_OF_TIME', timeLeft);
  let timer = start('CONNECT_TIMEOUT', connectTimeout);
  return {
    connected: () => {
      clearTimeout(timer);
      timer = start('ANSWER_TIMEOUT', answerTimeout);
    },
    stop: () => {
      clearTimeout(whole);
      clearTimeout(timer);
    },
  };
}
