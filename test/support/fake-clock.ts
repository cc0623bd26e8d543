import type { Clock } from '../../src/runtime/clock.ts';

interface Sleeper {
  until: number;
  readonly wake: () => void;
}

/** A clock that stands still until it is told to go on; then everything that waits is woken in its turn. */
export class FakeClock implements Clock {
  #elapsed = 1_000_000;
  #wall: number;
  readonly #sleepers = new Set<Sleeper>();
  readonly #busy = new Set<Promise<unknown>>();

  constructor(start = new Date('2030-01-01T00:00:00Z')) {
    this.#wall = start.getTime() - this.#elapsed;
  }

  now(): Date {
    return new Date(this.#wall + this.#elapsed);
  }

  elapsed(): number {
    return this.#elapsed;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper: Sleeper = { until: this.#elapsed + Math.max(0, milliseconds), wake };
      this.#sleepers.add(sleeper);
      if (signal?.aborted === true) wake();
      else signal?.addEventListener('abort', wake);
    });
  }

  /** Whether anybody waits for time to pass. */
  get isAwaited(): boolean {
    return this.#sleepers.size > 0;
  }

  /** Lets time pass, and what waits for it run, in the order of time. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#elapsed + milliseconds;
    for (;;) {
      await this.#settle();
      const next = [...this.#sleepers].sort((a, b) => a.until - b.until)[0];
      if (next === undefined || next.until > end) break;
      this.#elapsed = Math.max(this.#elapsed, next.until);
      next.wake();
    }
    this.#elapsed = Math.max(this.#elapsed, end);
    await this.#settle();
  }

  /** Time stands still for what takes real time, such as an exchange over the network. */
  during<T>(work: Promise<T>): Promise<T> {
    const done = work.finally(() => this.#busy.delete(done));
    this.#busy.add(done);
    return done;
  }

  /** So much time passes within such work. */
  pass(milliseconds: number): void {
    this.#elapsed += milliseconds;
  }

  /** Lets everything run that waits for no time. */
  async #settle(): Promise<void> {
    do {
      await Promise.allSettled(this.#busy);
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#busy.size > 0);
  }

  /** The machine sleeps: time passes, and those who wait go on to wait for as long as they still had to. */
  async suspend(milliseconds: number): Promise<void> {
    this.#elapsed += milliseconds;
    for (const sleeper of this.#sleepers) sleeper.until += milliseconds;
    await this.advance(0);
  }

  /** Somebody sets the time of day. */
  set(milliseconds: number): void {
    this.#wall += milliseconds;
  }
}
