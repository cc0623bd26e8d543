import { expect } from 'vitest';
import { RolesAnywhereError } from '../../src/errors.ts';

/** Runs something that must fail with one of our errors, and gives the error. */
export async function failure(run: () => unknown): Promise<RolesAnywhereError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof RolesAnywhereError) {
      // What every message must keep to.
      expect(error.message).not.toMatch(/\.$|[\n\r]/u);
      return error;
    }
    throw error;
  }
  return expect.fail('nothing failed');
}
