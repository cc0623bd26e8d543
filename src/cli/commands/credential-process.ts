import { createSession, prepareSession } from '../../aws/create-session.ts';
import { formatProcessCredentials } from '../../credentials/process-json.ts';
import { openIdentity } from '../../identity.ts';
import type { Reading } from '../fast-path.ts';
import { given } from '../given.ts';
import { identityOptions } from '../identity-options.ts';
import { print, stderrReporter } from '../output.ts';
import { nameValues, wholeNumber } from '../values.ts';

/** Prints one credential_process document and its line end, or nothing and fails. */
export async function run({ values }: Reading<'credential-process'>): Promise<void> {
  const reporter = stderrReporter(values.debug);
  const properties = values['instance-property'];
  const timeoutSeconds = wholeNumber('timeout', values.timeout, 1);
  const options = given({ ...identityOptions(values, reporter), timeoutSeconds });
  // First of all: a mistake on the command line shall show before any file is read or password asked for.
  const session = prepareSession(
    given({
      trustAnchorArn: values['trust-anchor-arn'],
      profileArn: values['profile-arn'],
      roleArn: values['role-arn'],
      region: values.region,
      endpoint: values.endpoint,
      durationSeconds: wholeNumber('session-duration', values['session-duration'], 900, 43_200),
      roleSessionName: values['role-session-name'],
      instanceProperties: properties.length === 0 ? undefined : nameValues('instance-property', properties),
    }),
  );
  const connection = given({
    proxy: values['no-proxy'] ? ('none' as const) : values['with-proxy'] ? ('required' as const) : undefined,
    caBundle: values['ca-bundle'],
    verifyTls: !values['no-verify-ssl'],
    timeoutSeconds,
    reporter,
  });

  const identity = await openIdentity(options);
  try {
    const { credentials } = await createSession(identity, session, connection);
    print(`${formatProcessCredentials(credentials)}\n`);
  } finally {
    await identity[Symbol.asyncDispose]();
  }
}
