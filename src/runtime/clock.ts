/** Milliseconds since the process began, by a clock that nobody sets. Not `performance`, which Node has yet to load. */
export function uptime(): number {
  return process.uptime() * 1000;
}
