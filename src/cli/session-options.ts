import { prepareSession } from '../aws/create-session.ts';
import type { ConnectionOptions, PreparedSession } from '../aws/create-session.ts';
import type { IdentityOptions } from '../identity/options.ts';
import type { Reporter } from '../reporter.ts';
import type { Reading } from './fast-path.ts';
import { given } from './given.ts';
import { identityOptions } from './identity-options.ts';
import { nameValues, wholeNumber } from './values.ts';

/** What every command that opens sessions reads from its command line. */
export interface SessionOptions {
  readonly identity: IdentityOptions;
  readonly session: PreparedSession;
  readonly connection: ConnectionOptions;
}

/**
 * What the command line says of a session, as the library takes it. Nothing is read yet: a mistake on the command line
 * shall show before any file is opened or password asked for.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function sessionOptions(
  values: Reading<'credential-process'>['values'],
  reporter: Reporter,
): SessionOptions {
  const properties = values['instance-property'];
  const timeoutSeconds = wholeNumber('timeout', values.timeout, 1);
  const identity = given({ ...identityOptions(values, reporter), timeoutSeconds });
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
  return { identity, session, connection: connectionOptions(values, reporter) };
}

/**
 * How to reach a service, whichever it is.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function connectionOptions(
  values: Pick<
    Reading<'credential-process'>['values'],
    'no-proxy' | 'with-proxy' | 'ca-bundle' | 'no-verify-ssl' | 'timeout'
  >,
  reporter: Reporter,
): ConnectionOptions {
  return given({
    proxy: values['no-proxy'] ? ('none' as const) : values['with-proxy'] ? ('required' as const) : undefined,
    caBundle: values['ca-bundle'],
    verifyTls: !values['no-verify-ssl'],
    timeoutSeconds: wholeNumber('timeout', values.timeout, 1),
    reporter,
  });
}
