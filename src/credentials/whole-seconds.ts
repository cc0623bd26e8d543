/**
 * A time in whole seconds, as the service and EC2 write it: not every reader of ISO 8601 takes a fraction. It is cut,
 * not rounded: a session must not look longer than it is.
 */
export function wholeSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
