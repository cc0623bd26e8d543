// Apart from clock.ts, which loads node:os: this is on the way to every session.

/** Milliseconds since the process began, by a clock that nobody sets. Not `performance`, which Node has yet to load. */
export function uptime(): number {
  return process.uptime() * 1000;
}

/** Beyond it Node's timers fire at once. */
export const longestTimer = 2 ** 31 - 1;
