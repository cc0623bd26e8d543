import { cacheDirectory } from '../credentials/cache/directory.ts';
import { daily } from '../credentials/daily.ts';
import { formatProcessCredentials } from '../credentials/process-json.ts';
import { sessionSource } from '../credentials/session-source.ts';
import type { SessionSource } from '../credentials/session-source.ts';
import type { Reporter } from '../reporter.ts';
import type { Values } from './options.ts';
import { sessionOptions } from './session-options.ts';
import type { SessionOptions } from './session-options.ts';
import { sessionShape } from './session-shape.ts';
import { wholeNumber } from './values.ts';
import { wantsCache } from './wants-cache.ts';

/**
 * Where a command gets its sessions, from the service or from the cache. Nothing is read or asked yet.
 *
 * @param triesAgain whether the command tries again by itself when opening one fails
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export async function commandSessions(
  values: Values<'credential-process'>,
  options: SessionOptions,
  reporter: Reporter,
  { triesAgain }: { readonly triesAgain: boolean },
): Promise<SessionSource> {
  // One for both: a warning from either counts for the day.
  const told = daily(reporter);
  const source = sessionSource({ ...options, connection: { ...options.connection, reporter: told } });
  if (!wantsCache(values)) return source;
  const { cachedSessionSource } = await import('../credentials/cached-session-source.ts');
  return cachedSessionSource({
    source,
    directory: cacheDirectory(),
    shape: () => sessionShape(values),
    timeoutSeconds: wholeNumber('timeout', values.timeout),
    triesAgain,
    reporter: told,
  });
}

/**
 * The credentials of one session as `credential_process` prints them, for a command that needs no other.
 *
 * @throws RolesAnywhereError as `openIdentity` and `createSession` do
 */
export async function commandDocument(
  values: Values<'credential-process'>,
  reporter: Reporter,
): Promise<string> {
  const options = sessionOptions(values, reporter);
  await using sessions = await commandSessions(values, options, reporter, { triesAgain: false });
  return formatProcessCredentials((await sessions.open()).credentials);
}
