import { RolesAnywhereError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { fingerprint } from './entry.ts';
import { readTrusted } from './directory.ts';

/** What an attempt ended with, for the processes that would only wait to see the same. */
export interface Failure {
  readonly error: RolesAnywhereError;
  readonly at: Date;
  /** How many attempts in a row have failed. */
  readonly attempts: number;
}

/** What any process of this user would meet, whatever its password or terminal: the service is down. */
const everybodys: ReadonlySet<string> = new Set<ErrorCode>([
  'SERVICE_UNREACHABLE',
  'SERVICE_FAILED',
  'SERVICE_TIMEOUT',
  'PROXY_FAILED',
]);

/**
 * Milliseconds from a failure on within which nobody tries again.
 *
 * @param isSpare whether there is something to hand out meanwhile. If not, a failure counts only if it would be
 *   everybody's, and only as long as it takes not to wait for the service one after the other
 */
function pauseAfter({ error, attempts }: Failure, isSpare: boolean): number {
  const isEverybodys = everybodys.has(error.code);
  // A wrong PIN tried again and again locks its token.
  if (isSpare) return isEverybodys ? 60_000 : 300_000;
  return isEverybodys ? Math.min(10_000, 1000 * 2 ** attempts) : 0;
}

export function isPausing(failure: Failure, isSpare: boolean, now: Date): boolean {
  const age = now.getTime() - failure.at.getTime();
  // Before 0, the clock was set back.
  return age >= 0 && age < pauseAfter(failure, isSpare);
}

export function failureFile(directory: string, shape: string): string {
  return `${directory}/${fingerprint(shape)}.failure`;
}

export function formatFailure({ error: { code, message, hint }, at, attempts }: Failure): string {
  return `${JSON.stringify({ code, message, hint, at: at.getTime(), attempts })}\n`;
}

/**
 * The last failure, undefined when there is none or nothing that can be understood.
 *
 * @throws the system's errors; Mistrusted
 */
export function readFailure(directory: string, shape: string): Failure | undefined {
  const text = readTrusted(failureFile(directory, shape));
  if (text === undefined) return undefined;
  try {
    const { code, message, hint, at, attempts } = JSON.parse(text) as Record<string, unknown>;
    if (typeof code !== 'string' || typeof message !== 'string') return undefined;
    if (typeof at !== 'number' || typeof attempts !== 'number') return undefined;
    const details = typeof hint === 'string' ? { hint } : {};
    // The code is one of ours, or of another version's: then it is none of those that we look for.
    const error = new RolesAnywhereError(code as ErrorCode, message, details);
    return { error, at: new Date(at), attempts };
  } catch {
    return undefined;
  }
}
