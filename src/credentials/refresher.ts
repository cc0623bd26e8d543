import { RolesAnywhereError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { silent } from '../reporter.ts';
import type { Reporter } from '../reporter.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Clock } from '../runtime/clock.ts';
import { fileVersion } from '../runtime/file-version.ts';
import { describeFailure, isHopeless, isSameReason } from './failure.ts';
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
/** Who could go on with what there is waits no longer for an attempt at a service that does not answer. */
const patience = 5000;
/** For a session that is past its advisory time when it comes. */
const longestRest = 10_000;
/** From attempt to attempt: a service that is back must be noticed within 20 s. */
const longestDelay = 15_000;
/** What does not pass by itself: a refusal, a file that has to be renewed. */
const longestPatientDelay = 60_000;
/**
 * How often the files are looked at, and the time: a timer goes on where the machine slept, without what it slept. Files
 * that changed are left alone for as long again, until all of them are written.
 */
const slice = 2_000;

const ofTheMoment: readonly ErrorCode[] = [
  'SERVICE_UNREACHABLE',
  'SERVICE_FAILED',
  'SERVICE_TIMEOUT',
  'TLS_UNTRUSTED',
  'PROXY_FAILED',
];

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
  #flightStart = 0;
  #lastStart = Number.NEGATIVE_INFINITY;

  constructor(options: RefresherOptions) {
    this.#source = options.source;
    this.#reporter = options.reporter ?? silent;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#observer = options.observer ?? {};
  }

  /** What there is at a moment of the clock's `elapsed`, for who knows it and asks often. */
  sessionAt(elapsed: number): OpenedSession | undefined {
    return this.#valid(elapsed)?.session;
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
    const version = fileVersion(this.#source.files);
    const first = await this.#attempt();
    void this.#run(version);
    return first;
  }

  /**
   * What there is, at once while it is good; else the outcome of the one attempt that everybody waits for, as long as
   * nothing is valid any more, and a little while otherwise.
   *
   * @throws what the source throws, when nothing is valid any more
   */
  async get({ forceRefresh = false }: { readonly forceRefresh?: boolean } = {}): Promise<OpenedSession> {
    const held = this.#valid();
    const now = this.#clock.elapsed();
    const failing = this.#failing;
    const mayForce = forceRefresh && failing?.next !== Number.POSITIVE_INFINITY;
    if (mayForce) return this.refresh();
    if (held !== undefined && now < held.due) return held.session;
    if (failing !== undefined && now < failing.next) {
      if (held === undefined) throw failing.error;
      return held.session;
    }
    const attempt = this.#settle(this.#attempt());
    if (held === undefined) return attempt;
    if (now >= held.mandatory) return this.#soon(attempt);
    attempt.catch(() => undefined);
    return held.session;
  }

  /**
   * Opens a session now, or waits for the one that is being opened; what is there stays where that fails.
   *
   * @throws what the source throws, when nothing is valid any more
   */
  refresh(): Promise<OpenedSession> {
    return this.#settle(this.#attempt(true));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#source[Symbol.asyncDispose]();
  }

  async #settle(attempt: Promise<OpenedSession>): Promise<OpenedSession> {
    try {
      return await attempt;
    } catch (error) {
      const held = this.#valid();
      if (held === undefined) throw error;
      return held.session;
    }
  }

  async #soon(attempt: Promise<OpenedSession>): Promise<OpenedSession> {
    const done = new AbortController();
    const left = this.#flightStart + patience - this.#clock.elapsed();
    const late = this.#clock.sleep(left, done.signal).then(() => this.#valid()?.session ?? attempt);
    try {
      return await Promise.race([attempt, late]);
    } finally {
      done.abort();
    }
  }

  #valid(elapsed = this.#clock.elapsed()): Held | undefined {
    return this.#held !== undefined && elapsed < this.#held.end ? this.#held : undefined;
  }

  #attempt(fresh = false): Promise<OpenedSession> {
    if (this.#flight !== undefined) return this.#flight;
    this.#flightStart = this.#clock.elapsed();
    return (this.#flight = this.#open(fresh).finally(() => {
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
      // While there is something to hand out, trying again is this class's own: it is the more patient one.
      const session = await this.#source.open({ fresh, once: this.#valid() !== undefined });
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
    const end = at(lifetime.expiration);
    // Another process may be fetching a newer one than what it shares: to ask at once again would not help.
    const now = this.#clock.elapsed();
    const earliest = now + Math.min(longestRest, (end - now) / 2);
    const due = Math.max(earliest, advisory + (this.#random() * (mandatory - advisory)) / 4);
    this.#held = { session, due, mandatory, end };
    if (this.#failing !== undefined) {
      this.#reporter.note?.(
        `credentials are fresh again, after ${this.#failing.attempts} attempts that failed`,
      );
      this.#failing = undefined;
    }
  }

  #fail(error: unknown): void {
    const attempts = (this.#failing?.attempts ?? 0) + 1;
    // A service that let us wait for its failure has had a part of its rest.
    const waited = this.#clock.elapsed() - this.#lastStart;
    const delay = Math.max(pace, this.#delay(error, attempts) - waited);
    const now = this.#clock.now();
    const { message, hint } = describeFailure(error);
    const isNew = !isSameReason(this.#failing?.error, error);
    this.#failing = {
      error,
      attempts,
      since: this.#failing?.since ?? now,
      next: this.#clock.elapsed() + delay,
      nextAttempt: new Date(now.getTime() + Math.min(delay, longestPatientDelay)),
    };
    // The first of all has nobody behind it yet: whoever asked tells.
    if (isNew && this.#held !== undefined) this.#reporter.warn(`no fresh credentials: ${message}`, hint);
  }

  /** Exponential backoff with full jitter, in milliseconds from the start of the attempt that failed. */
  #delay(error: unknown, attempts: number): number {
    if (isHopeless(error)) return Number.POSITIVE_INFINITY;
    const passes = error instanceof RolesAnywhereError && ofTheMoment.includes(error.code);
    const longest = passes ? longestDelay : longestPatientDelay;
    return this.#random() * Math.min(longest, firstDelay * 2 ** (attempts - 1));
  }

  /** @param used the state of the files that the session at hand came from */
  async #run(used: string): Promise<void> {
    const { signal } = this.#closing;
    let seen = used;
    while (!signal.aborted) {
      const version = fileVersion(this.#source.files);
      const isChanged = version !== used && version === seen;
      seen = version;
      const left = (this.#failing?.next ?? this.#held?.due ?? 0) - this.#clock.elapsed();
      if (left > 0 && !isChanged) await this.#clock.sleep(Math.min(left, slice), signal);
      else {
        used = version;
        await this.#attempt(isChanged).catch(() => undefined);
      }
    }
  }
}
