import { expect } from 'vitest';
import { RolesAnywhereError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';

/** What a call failed with, which must be a RolesAnywhereError. */
async function failure(call: () => unknown): Promise<RolesAnywhereError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof RolesAnywhereError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

export async function expectCode(call: () => unknown, code: ErrorCode): Promise<RolesAnywhereError> {
  const error = await failure(call);
  expect(error.code, error.message).toBe(code);
  // House rules: no capital letter to begin with, no full stop, one line.
  for (const text of [error.message, error.hint ?? 'none']) expect(text).toMatch(/^[^A-Z\n][^\n]*[^.\n]$/);
  return error;
}
