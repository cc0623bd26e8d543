import { RolesAnywhereError } from '../errors.ts';
import { type Reporter, silent } from '../reporter.ts';
import { type Answer, TransportError } from '../runtime/exchange.ts';
import { exchange } from '../runtime/transport.ts';
import { longestTimer, uptime } from '../runtime/uptime.ts';
import { explainFailure } from './failures.ts';
import { hostOf, isLoopback, proxyFor, type ProxyMode } from './proxy.ts';
import { backoff, isThrottling, pause, retryAfter } from './retry.ts';
import {
  describe,
  type HintFor,
  readServiceError,
  serviceRefused,
  type ServiceErrorDetails,
} from './service-error.ts';
import { authoritiesWithSystem, configuredAuthorities } from './trust.ts';

/** How to reach a service. Everything has a default. */
export interface ConnectionOptions {
  /** `environment`: HTTPS_PROXY, HTTP_PROXY and NO_PROXY count; `required`: one must be set; `none`: direct. */
  readonly proxy?: ProxyMode;
  /** A file of PEM certificates to trust instead of all others; before AWS_CA_BUNDLE. */
  readonly caBundle?: string;
  /** False takes any certificate, and warns. */
  readonly verifyTls?: boolean;
  /** Seconds for the whole operation, retries included; 60 by default. */
  readonly timeoutSeconds?: number;
  /** How often to try; 5 times by default. */
  readonly attempts?: number;
  /** Carries what one call finds out over to the next. */
  readonly learned?: Learned;
  readonly reporter?: Reporter;
  readonly now?: () => Date;
  /** Waits between retries. For tests. */
  readonly sleep?: (milliseconds: number) => Promise<void>;
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

/** What a call found out about the way to the service, and the next need not find out again. Starts empty. */
export interface Learned {
  /** Those that vouched for the service, where those of the runtime did not. */
  authorities?: readonly string[] | undefined;
  /** Milliseconds that the service's clock is ahead of ours, as far as its answers told. */
  skew?: number;
}

export interface SignedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Operation {
  /** The service's name as people know it, for messages. */
  readonly service: string;
  readonly url: URL;
  /** Makes the request as of a time. */
  readonly sign: (now: Date) => Promise<SignedRequest>;
  readonly hintFor?: HintFor | undefined;
  /** Its rate limit is shared with everybody in the account: throttling is told, and waited out while time is left. */
  readonly isShared?: boolean | undefined;
}

export interface Reply {
  readonly answer: Answer;
  /** The time now by the corrected clock. */
  readonly now: Date;
}

const connectTimeout = 10_000;
const answerTimeout = 15_000;
const maxAnswerBytes = 1024 * 1024;
/** A signature is good for five minutes; within two it is used again, since a key may ask for a PIN each time. */
const signatureLifetime = 120_000;
/** Requests whose time is further off are refused. */
const acceptedSkew = 300_000;
/** From here on that may be why: its Date and our reading of it are a little apart. */
const toleratedSkew = 240_000;

/**
 * Signs and sends a request, again where that can help: after 429, 5xx, throttling and failed connections with
 * exponential backoff and full jitter, once with a corrected clock, once with the system's authorities.
 *
 * @returns the first 2xx answer
 * @throws RolesAnywhereError SERVICE_REFUSED (the cause is a ServiceErrorDetails), SERVICE_UNREACHABLE, SERVICE_FAILED,
 *   SERVICE_TIMEOUT, TLS_UNTRUSTED, PROXY_FAILED, FILE_UNREADABLE, INVALID_ARGUMENT, and what `sign` throws
 */
export async function call(operation: Operation, options: ConnectionOptions = {}): Promise<Reply> {
  const { service, url } = operation;
  const {
    reporter = silent,
    verifyTls = true,
    timeoutSeconds = 60,
    attempts = 5,
    learned = {},
    sleep = pause,
    random = Math.random,
  } = options;
  if (!(timeoutSeconds > 0)) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      `the timeout must be more than 0 seconds, not ${timeoutSeconds}`,
    );
  }
  const clock = options.now ?? (() => new Date());
  const proxy = await proxyFor(url, options.proxy ?? 'environment');
  let ca = url.protocol === 'https:' && verifyTls ? configuredAuthorities(options.caBundle) : undefined;
  let mayAskSystem = ca === undefined;
  ca ??= learned.authorities;
  warnIfExposed(url, verifyTls, reporter);

  let skew = learned.skew ?? 0;
  let mayCorrect = true;
  const now = (): Date => new Date(clock().getTime() + skew);
  const sign = async (): Promise<{ request: SignedRequest; at: number }> => {
    const time = now();
    return { request: await operation.sign(time), at: time.getTime() };
  };
  let signed = await sign();

  // From here on: what comes before may have waited for a person at a PIN prompt.
  const end = uptime() + Math.min(timeoutSeconds * 1000, longestTimer);
  let attempt = 1;
  let last: RolesAnywhereError | undefined;
  let isTold = false;
  const waitFor = async (problem: RolesAnywhereError, atLeast = 0, isPatient = false): Promise<void> => {
    if (attempt >= attempts && !isPatient) throw problem;
    attempt += 1;
    last = problem;
    const left = end - uptime();
    const wait = Math.max(atLeast, backoff(attempt, random()));
    await sleep(Math.min(wait, left));
    if (wait >= left) throw outOfTime(service, timeoutSeconds, problem);
  };

  for (;;) {
    if (now().getTime() - signed.at > signatureLifetime) signed = await sign();
    const { request } = signed;
    const through = proxy === undefined ? '' : ` through ${proxy.host}`;
    reporter.debug(`${request.method} ${url.href}${through}, attempt ${attempt}`);
    const started = Date.now();
    let answer: Answer;
    try {
      const timeLeft = Math.max(end - uptime(), 0);
      const limits = { connectTimeout, answerTimeout, maxAnswerBytes, timeLeft };
      answer = await exchange({ ...request, ...limits, ca, verifyTls, proxy });
    } catch (cause) {
      if (cause instanceof TransportError && cause.code === 'OUT_OF_TIME') {
        throw outOfTime(service, timeoutSeconds, last);
      }
      const { error, retry, unknownAuthority } = explainFailure(cause, url, proxy);
      reporter.debug(`${error.message}, after ${Date.now() - started} ms`);
      if (unknownAuthority && mayAskSystem) {
        mayAskSystem = false;
        ca = learned.authorities = await authoritiesWithSystem();
        if (ca !== undefined) continue;
      }
      if (!retry) throw error;
      await waitFor(error);
      continue;
    }
    reporter.debug(`status ${answer.status} after ${Date.now() - started} ms`);
    if (answer.status >= 200 && answer.status < 300) {
      if (!mayCorrect && Math.abs(skew) > toleratedSkew) warnOfClock(skew, reporter);
      skew += unnoticedSkew(answer, now());
      learned.skew = skew;
      return { answer, now: now() };
    }
    const details = readServiceError(answer);
    const correction = mayCorrect ? clockCorrection(answer, details, now()) : 0;
    if (correction !== 0) {
      const seconds = Math.round(correction / 1000);
      reporter.debug(`the service's clock is ${seconds} s from ours: signing again with its time`);
      skew += correction;
      mayCorrect = false;
      signed = await sign();
      continue;
    }
    const problem = rejected(operation, details, proxy);
    if (!mayPass(details)) throw problem;
    const isPatient = operation.isShared === true && isThrottled(details);
    if (isPatient && !isTold) {
      isTold = true;
      reporter.warn(`${service} is asked too often, and asked again: ${describe(details)}`);
    }
    await waitFor(problem, retryAfter(answer.headers['retry-after'], now()), isPatient);
  }
}

/** Whether a refusal is of the moment: the same request may be taken a little later. */
function mayPass(details: ServiceErrorDetails): boolean {
  return details.status >= 500 || isThrottled(details);
}

function isThrottled({ status, code, message }: ServiceErrorDetails): boolean {
  return status === 429 || isThrottling(code) || /^rate exceeded$/i.test(message);
}

/** What an answer that is neither 2xx nor a matter of the clock means. */
function rejected(
  { service, hintFor }: Operation,
  details: ServiceErrorDetails,
  proxy: URL | undefined,
): RolesAnywhereError {
  const { status } = details;
  if (status === 407) {
    return new RolesAnywhereError('PROXY_FAILED', `the proxy ${proxy?.host ?? ''} refused with status 407`, {
      hint: "the proxy wants a user name and password: put them into the proxy's URL, percent-encoded",
    });
  }
  if (status < 400) {
    return new RolesAnywhereError(
      'SERVICE_FAILED',
      `${service} redirects, which the service never does: status ${status}`,
      {
        hint: 'this may not be the AWS service: check --endpoint and proxies',
        cause: details,
      },
    );
  }
  if (mayPass(details)) {
    return new RolesAnywhereError('SERVICE_FAILED', `${service} failed: ${describe(details)}`, {
      cause: details,
    });
  }
  return serviceRefused(service, details, hintFor);
}

/**
 * How far our clock is behind the service's, in milliseconds, where that is why a request was refused; otherwise 0.
 * The codes cannot tell (Roles Anywhere says AccessDeniedException, "Invalid signature"), but the Date header can: the
 * service looks at the signature's time before anything that it would refuse with these statuses.
 */
function clockCorrection(answer: Answer, { status, code }: ServiceErrorDetails, now: Date): number {
  if (![400, 401, 403].includes(status) || code === 'ValidationException') return 0;
  const skew = Date.parse(answer.headers['date'] ?? '') - now.getTime();
  return Math.abs(skew) > toleratedSkew ? skew : 0;
}

/**
 * How far our clock is at least behind that of a service that took a request nevertheless, in milliseconds: by that much
 * its credentials would seem to last longer than they do. Its Date is cut to a second and takes its time to come, so
 * that it cannot tell a clock of ours that is ahead; to that one they seem to end early, which does no harm.
 */
function unnoticedSkew(answer: Answer, now: Date): number {
  const skew = Date.parse(answer.headers['date'] ?? '') - now.getTime();
  return skew > 0 && skew <= acceptedSkew ? skew : 0;
}

function warnOfClock(skew: number, reporter: Reporter): void {
  const seconds = Math.round(Math.abs(skew) / 1000);
  const distance =
    seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`;
  reporter.warn(
    `this machine's clock is ${distance} ${skew > 0 ? 'behind' : 'ahead of'} the service's`,
    'set the clock (NTP): other clients will be refused',
  );
}

function warnIfExposed(url: URL, verifyTls: boolean, reporter: Reporter): void {
  if (url.protocol === 'http:' && !isLoopback(hostOf(url))) {
    reporter.warn(
      `${url.host} is asked without TLS: everybody on the way can read the credentials`,
      'use an https endpoint',
    );
  } else if (url.protocol === 'https:' && !verifyTls) {
    reporter.warn(
      `the certificate of ${url.host} is not verified: anybody on the way can read the credentials`,
      'name the authority with --ca-bundle instead of --no-verify-ssl',
    );
  }
}

function outOfTime(service: string, seconds: number, last?: RolesAnywhereError): RolesAnywhereError {
  return new RolesAnywhereError(
    'SERVICE_TIMEOUT',
    `${service} gave no answer within ${seconds} s${last === undefined ? '' : `; at last: ${last.message}`}`,
    { hint: last?.hint ?? 'check the network and proxies, or give more time with --timeout' },
  );
}
