import type { Credentials } from '../aws/credentials.ts';
import { RolesAnywhereError } from '../errors.ts';
import type { Reporter } from '../reporter.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Clock } from '../runtime/clock.ts';
import { isSameReason } from './failure.ts';

export interface ProfileKeeperOptions {
  /** Puts the credentials into the file, or fails and leaves it as it was. */
  readonly write: (credentials: Credentials, signal: AbortSignal) => Promise<void>;
  readonly reporter: Reporter;
  readonly clock?: Clock;
}

const firstDelay = 1000;
const longestDelay = 30_000;

/** Sees to it that the newest credentials get into the file, again and again where that fails. */
export class ProfileKeeper implements AsyncDisposable {
  readonly #options: ProfileKeeperOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** What is not in the file yet. */
  #newest: Credentials | undefined;
  #isStarted = false;
  #isWriting = false;
  #work: Promise<void> | undefined;

  constructor(options: ProfileKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Takes these as the newest; once this was started they are written as soon as that is possible. */
  put(credentials: Credentials): void {
    this.#newest = credentials;
    if (this.#isStarted) this.#wake();
  }

  /**
   * Writes what there is; and from then on what is put, again and again where that fails. Why it fails is reported, once
   * for each reason.
   *
   * @throws what the first write throws
   */
  async start(): Promise<void> {
    const first = this.#write();
    this.#work = first.catch(() => undefined);
    await first;
    this.#isStarted = true;
    this.#wake();
  }

  /** Resolves when the newest are in the file. */
  async written(): Promise<void> {
    await this.#work;
  }

  /** Ends once the write that is under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }

  async #write(): Promise<void> {
    const credentials = this.#newest;
    if (credentials === undefined) return;
    await this.#options.write(credentials, this.#closing.signal);
    if (this.#newest === credentials) this.#newest = undefined;
  }

  #wake(): void {
    if (this.#isWriting || this.#newest === undefined) return;
    this.#isWriting = true;
    this.#work = this.#run();
  }

  async #run(): Promise<void> {
    const isClosing = (): boolean => this.#closing.signal.aborted;
    let last: unknown;
    for (let delay = firstDelay; this.#newest !== undefined && !isClosing();) {
      try {
        await this.#write();
      } catch (error) {
        if (!(error instanceof RolesAnywhereError)) throw error;
        if (isClosing()) break;
        if (!isSameReason(last, error)) this.#options.reporter.warn(error.message, error.hint);
        last = error;
        await this.#clock.sleep(delay, this.#closing.signal);
        delay = Math.min(delay * 2, longestDelay);
      }
    }
    this.#isWriting = false;
  }
}
