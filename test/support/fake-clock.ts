import type { Clock } from '../../src/runtime/clock.ts';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** A clock that stands still until it is told to go on; then everything that waits is woken in its turn. */
export class FakeClock implements Clock {
  #elapsed = 1_000_000;
  #wall: number;
  readonly #sleepers = new Set<Sleeper>();

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
      const sleeper = { until: this.#elapsed + Math.max(0, milliseconds), wake };
      this.#sleepers.add(sleeper);
      if (signal?.aborted === true) wake();
      else signal?.addEventListener('abort', wake);
    });
  }

  /** Lets time pass, and what waits for it run, in the order of time. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#elapsed + milliseconds;
    for (;;) {
      await settle();
      const next = [...this.#sleepers].sort((a, b) => a.until - b.until)[0];
      if (next === undefined || next.until > end) break;
      this.#elapsed = Math.max(this.#elapsed, next.until);
      next.wake();
    }
    this.#elapsed = end;
    await settle();
  }

  /** The machine sleeps: time passes and nobody is woken before its end. */
  async suspend(milliseconds: number): Promise<void> {
    this.#elapsed += milliseconds;
    await this.advance(0);
  }

  /** Somebody sets the time of day. */
  set(milliseconds: number): void {
    this.#wall += milliseconds;
  }
}

/** Lets everything run that waits for no time. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
