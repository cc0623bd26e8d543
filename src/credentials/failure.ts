import { RolesAnywhereError } from '../errors.ts';

/**
 * An error in words for a reporter. The message of a foreign one (a defect of ours, or what a program's own callback
 * throws) may hold anything, secrets included.
 */
export function describeFailure(error: unknown): {
  readonly message: string;
  readonly hint?: string | undefined;
} {
  if (error instanceof RolesAnywhereError) return error;
  return { message: `an unforeseen error (${error instanceof Error ? error.name : typeof error})` };
}

/**
 * Whether two failures are the same to who reads a log: but for times, counts and request ids, which have digits. No
 * failure at all is one of its own.
 */
export function isSameReason(one: unknown, other: unknown): boolean {
  return constantWords(one) === constantWords(other);
}

function constantWords(error: unknown): string {
  const words = describeFailure(error).message.split(/[^\w-]+/);
  return words.filter((word) => !/\d/.test(word)).join(' ');
}

/** Whether trying once more, with nothing changed, does harm: a wrong PIN or password locks its token or TPM. */
export function isHopeless(error: unknown): boolean {
  return error instanceof RolesAnywhereError && ['PASSWORD_WRONG', 'PIN_BLOCKED'].includes(error.code);
}
