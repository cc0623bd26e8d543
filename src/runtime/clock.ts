import { uptime as machineUptime } from 'node:os';
import { longestTimer, uptime } from './uptime.ts';

/** Time as the library sees it; tests have one of their own. */
export interface Clock {
  /** The time of day, which anybody may set. */
  now(): Date;
  /** Milliseconds since some moment, by a clock that nobody sets and that goes on while the machine sleeps. */
  elapsed(): number;
  /**
   * Waits, at least about so many milliseconds: longer where the machine slept meanwhile. Ends early, and does not
   * throw, when the signal is aborted.
   */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** How far the clocks may drift apart before that means that one was set, or that the machine slept. */
const drift = 500;
let distance = Number.NaN;
let slept = 0;

export const systemClock: Clock = {
  now: () => new Date(),
  // The process's own clock stands still while the machine sleeps, and the machine's costs a system file to read: it is
  // asked only after the time of day has moved against the process's.
  elapsed() {
    const running = uptime();
    const apart = Date.now() - running;
    if (!(Math.abs(apart - distance) < drift)) {
      distance = apart;
      slept = machineUptime() * 1000 - running;
    }
    return running + slept;
  },
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(milliseconds, longestTimer));
      signal?.addEventListener('abort', done);
    }),
};
