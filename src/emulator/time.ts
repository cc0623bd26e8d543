/** `2026-06-15T12:00:00Z`; of a time that falls on a whole second, as every expiry here does. */
export function isoSeconds(time: Date): string {
  return time.toISOString().replace('.000', '');
}
