import { RolesAnywhereError } from '../errors.ts';
import { env } from '../runtime/env.ts';
import { parseFlag } from './fast-path.ts';

/**
 * Whether a command shares its session with other processes: by its options, else by ROLESANYWHERE_CACHE.
 *
 * @param unlessSaid what holds where neither says anything
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function wantsCache(
  values: { readonly cache: boolean; readonly 'no-cache': boolean },
  unlessSaid = false,
): boolean {
  if (values.cache || values['no-cache']) return values.cache;
  const text = env('ROLESANYWHERE_CACHE');
  const wants = text === undefined ? unlessSaid : parseFlag(text);
  if (wants !== undefined) return wants;
  throw new RolesAnywhereError('INVALID_ARGUMENT', 'ROLESANYWHERE_CACHE is neither true nor false', {
    hint: 'set it to 1 to share sessions between processes, to 0 or nothing to not',
  });
}
