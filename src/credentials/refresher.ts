import { RolesAnywhereError } from '../errors.ts';
import { silent } from '../reporter.ts';
import type { Reporter } from '../reporter.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Clock } from '../runtime/clock.ts';
import { advisoryAt, mandatoryAt } from './lifetime.ts';
import type { OpenedSession, SessionSource } from './session-source.ts';

/** Told of each attempt and how many seconds it took; for metrics. */
export interface RefreshObserver {
  opened?(session: OpenedSession, seconds: number): void;
  failed?(error: unknown, seconds: number): void;
}

export interface RefresherOptions {
  readonly source: SessionSource;
  readonly reporter?: Reporter;
  readonly clock?: Clock;
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
  readonly observer?: RefreshObserver;
}

/** Why there is nothing newer than what `session` says. */
export interface RefreshFailure {
  readonly error: unknown;
  readonly since: Date;
  readonly attempts: number;
  /** Absent where trying again by itself would do harm: a wrong PIN locks its token. */
  readonly nextAttempt?: Date;
}

export interface RefresherState {
  /** Absent before the first, and once it has expired. */
  readonly session?: OpenedSession;
  readonly failure?: RefreshFailure;
}

/** Two attempts a second are the most, whoever asks. */
const pace = 500;
const firstDelay = 1000;
/** Together with an attempt, shorter than the 20 s within which a service that is back must be noticed. */
const longestDelay = 15_000;
/** What does not pass by itself: a refusal, a file that has to be renewed. */
const longestPatientDelay = 60_000;
/** Timers may be late where the machine slept: the time is looked at again this often. */
const slice = 5_000;

const ofTheMoment = [
  'SERVICE_UNREACHABLE',
  'SERVICE_FAILED',
  'SERVICE_TIMEOUT',
  'TLS_UNTRUSTED',
  'PROXY_FAILED',
];
const hopeless = ['PASSWORD_WRONG', 'PIN_BLOCKED'];

/** Milestones of a session in milliseconds of `Clock.elapsed`: nobody can set that back. */
interface Held {
  readonly session: OpenedSession;
  readonly due: number;
  readonly mandatory: number;
  readonly end: number;
}

interface Failing {
  readonly error: unknown;
  readonly since: Date;
  readonly attempts: number;
  /** In `Clock.elapsed`. */
  readonly next: number;
  readonly nextAttempt: Date;
}

/**
 * Keeps a session: one attempt at a time whoever asks, ahead of its end, again and again while that fails; and what is
 * there is handed out until it really ends.
 */
export class Refresher implements AsyncDisposable {
  readonly #source: SessionSource;
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #observer: RefreshObserver;
  readonly #closing = new AbortController();
  #held: Held | undefined;
  #failing: Failing | undefined;
  #flight: Promise<OpenedSession> | undefined;
  #lastStart = Number.NEGATIVE_INFINITY;

  constructor(options: RefresherOptions) {
    this.#source = options.source;
    this.#reporter = options.reporter ?? silent;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#observer = options.observer ?? {};
  }

  get state(): RefresherState {
    const session = this.#valid()?.session;
    const failing = this.#failing;
    return {
      ...(session && { session }),
      ...(failing && {
        failure: {
          error: failing.error,
          since: failing.since,
          attempts: failing.attempts,
          ...(failing.next !== Number.POSITIVE_INFINITY && { nextAttempt: failing.nextAttempt }),
        },
      }),
    };
  }

  /**
   * Opens the first session; from then on there is a new one ahead of each one's end, until this is disposed.
   *
   * @throws what the source throws for the first session; nothing afterwards
   */
  async start(): Promise<OpenedSession> {
    const first = await this.#attempt();
    void this.#run();
    return first;
  }

  /**
   * What there is, at once while it is good; else the outcome of the one attempt that everybody waits for.
   *
   * @throws what the source throws, when nothing is valid any more
   */
  async get({ forceRefresh = false }: { readonly forceRefresh?: boolean } = {}): Promise<OpenedSession> {
    if (forceRefresh) return this.refresh();
    const held = this.#valid();
    const now = this.#clock.elapsed();
    if (held !== undefined && now < held.due) return held.session;
    const resting = this.#failing !== undefined && now < this.#failing.next;
    if (held === undefined && resting) throw this.#failing?.error;
    if (held === undefined) return this.#attempt();
    if (resting) return held.session;
    const attempt = this.refresh();
    if (now < held.mandatory) {
      attempt.catch(() => undefined);
      return held.session;
    }
    return attempt;
  }

  /**
   * Opens a session now, or waits for the one that is being opened; what is there stays where that fails.
   *
   * @throws what the source throws, when nothing is valid any more
   */
  async refresh(): Promise<OpenedSession> {
    try {
      return await this.#attempt(true);
    } catch (error) {
      const held = this.#valid();
      if (held === undefined) throw error;
      return held.session;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#source[Symbol.asyncDispose]();
  }

  #valid(): Held | undefined {
    return this.#held !== undefined && this.#clock.elapsed() < this.#held.end ? this.#held : undefined;
  }

  #attempt(fresh = false): Promise<OpenedSession> {
    return (this.#flight ??= this.#open(fresh).finally(() => {
      this.#flight = undefined;
    }));
  }

  async #open(fresh: boolean): Promise<OpenedSession> {
    const clock = this.#clock;
    const early = this.#lastStart + pace - clock.elapsed();
    if (early > 0) await clock.sleep(early, this.#closing.signal);
    const started = (this.#lastStart = clock.elapsed());
    const seconds = (): number => (clock.elapsed() - started) / 1000;
    try {
      const session = await this.#source.open({ fresh });
      this.#accept(session);
      this.#observer.opened?.(session, seconds());
      return session;
    } catch (error) {
      this.#fail(error);
      this.#observer.failed?.(error, seconds());
      throw error;
    }
  }

  #accept(session: OpenedSession): void {
    const opened = session.opened.getTime();
    const lifetime = { opened: session.opened, expiration: session.credentials.expiration };
    const age = Math.max(0, this.#clock.now().getTime() + (session.skew ?? 0) - opened);
    const born = this.#clock.elapsed() - age;
    const at = (date: Date): number => born + date.getTime() - opened;
    const advisory = at(advisoryAt(lifetime));
    const mandatory = at(mandatoryAt(lifetime));
    const due = advisory + (this.#random() * (mandatory - advisory)) / 4;
    this.#held = { session, due, mandatory, end: at(lifetime.expiration) };
    if (this.#failing !== undefined) {
      this.#reporter.warn(`credentials are refreshed again, after ${this.#failing.attempts} failed attempts`);
      this.#failing = undefined;
    }
  }

  #fail(error: unknown): void {
    const attempts = (this.#failing?.attempts ?? 0) + 1;
    const delay = this.#delay(error, attempts);
    const now = this.#clock.now();
    const isNew = String(error) !== String(this.#failing?.error);
    this.#failing = {
      error,
      attempts,
      since: this.#failing?.since ?? now,
      next: this.#clock.elapsed() + delay,
      nextAttempt: new Date(now.getTime() + Math.min(delay, longestPatientDelay)),
    };
    // The first of all has nobody behind it yet: whoever asked tells.
    if (isNew && this.#held !== undefined) {
      const { message, hint } =
        error instanceof RolesAnywhereError ? error : { message: String(error), hint: undefined };
      this.#reporter.warn(`cannot refresh the credentials: ${message}`, hint);
    }
  }

  /** Exponential backoff with full jitter, in milliseconds. */
  #delay(error: unknown, attempts: number): number {
    const code = error instanceof RolesAnywhereError ? error.code : '';
    if (hopeless.includes(code)) return Number.POSITIVE_INFINITY;
    const longest = ofTheMoment.includes(code) ? longestDelay : longestPatientDelay;
    return Math.max(pace, this.#random() * Math.min(longest, firstDelay * 2 ** (attempts - 1)));
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const due = this.#failing?.next ?? this.#held?.due ?? 0;
      const left = due - this.#clock.elapsed();
      if (left > 0) await this.#clock.sleep(Math.min(left, slice), signal);
      else await this.#attempt().catch(() => undefined);
    }
  }
}
