import type { Credentials } from '../../aws/credentials.ts';
import { cacheDirectory, freshEntry } from '../../credentials/cache/directory.ts';
import { formatProcessCredentials } from '../../credentials/process-json.ts';
import { storedCredentials } from '../../credentials/stored-session.ts';
import type { StoredSession } from '../../credentials/stored-session.ts';
import type { Reading } from '../fast-path.ts';
import { print, stderrReporter } from '../output.ts';
import { sessionShape } from '../session-shape.ts';

/**
 * `credential-process` with a cache: what is there is printed, without a look at the key and without the modules that
 * open sessions.
 */
export async function run({ values }: Reading<'credential-process'>): Promise<void> {
  const reporter = stderrReporter(values.debug);
  const directory = cacheDirectory();
  const shape = await sessionShape(values);
  const entry = shape && directory ? freshEntry(directory, shape, new Date()) : undefined;
  let credentials: Credentials;
  if (entry === undefined) {
    const { commandCredentials } = await import('../session-source.ts');
    credentials = await commandCredentials(values, reporter);
  } else {
    reporter.debug(`a session from the cache, to be renewed after ${entry.refreshAt.toISOString()}`);
    credentials = storedCredentials(entry.payload as StoredSession);
  }
  print(`${formatProcessCredentials(credentials)}\n`);
}
