import { readFile } from 'node:fs/promises';
import { RolesAnywhereError } from '../errors.ts';
import { reasonOf } from '../runtime/errno.ts';

/**
 * A file that an option names.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE, INVALID_ARGUMENT for a name that is empty
 */
export async function readGiven(path: string, what: string): Promise<Buffer> {
  if (path === '') {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `the name of the ${what} is empty`);
  }
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(`${what} ${path}`, error);
  }
}

export function unreadable(what: string, error: unknown): RolesAnywhereError {
  return new RolesAnywhereError('FILE_UNREADABLE', `cannot read ${what}: ${reasonOf(error)}`, {
    cause: error,
  });
}

export function unwritable(path: string, error: unknown, hint?: string): RolesAnywhereError {
  return new RolesAnywhereError('FILE_UNWRITABLE', `cannot write ${path}: ${reasonOf(error)}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
