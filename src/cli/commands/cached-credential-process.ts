import { cacheDirectory, freshEntry } from '../../credentials/cache/directory.ts';
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
  let document: string;
  if (entry === undefined) {
    const { commandDocument } = await import('../session-source.ts');
    document = await commandDocument(values, reporter);
  } else {
    if (values.debug)
      reporter.debug(`a session from the cache, fresh until ${entry.refreshAt.toISOString()}`);
    ({ document } = entry.payload as StoredSession);
  }
  print(`${document}\n`);
}
