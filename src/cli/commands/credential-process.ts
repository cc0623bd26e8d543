import { createSession } from '../../aws/create-session.ts';
import { formatProcessCredentials } from '../../credentials/process-json.ts';
import { openIdentity } from '../../identity/identity.ts';
import type { Reading } from '../fast-path.ts';
import { print, stderrReporter } from '../output.ts';
import { sessionOptions } from '../session-options.ts';

/** Prints one credential_process document and its line end, or nothing and fails. */
export async function run({ values }: Reading<'credential-process'>): Promise<void> {
  const options = sessionOptions(values, stderrReporter(values.debug));
  const identity = await openIdentity(options.identity);
  try {
    const { credentials } = await createSession(identity, options.session, options.connection);
    print(`${formatProcessCredentials(credentials)}\n`);
  } finally {
    await identity[Symbol.asyncDispose]();
  }
}
