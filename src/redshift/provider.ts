import type { ConnectionOptions } from '../aws/http.ts';
import { daily } from '../credentials/daily.ts';
import { describeFailure, isSameReason } from '../credentials/failure.ts';
import { type Reporter, silent } from '../reporter.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { type AwsCredentialSource, type DatabaseCredentials, getDatabaseCredentials } from './credentials.ts';
import { lifetimeOf } from './lifetime.ts';
import { type DatabaseRequest, prepareDatabase } from './request.ts';

/** Which database to log in to, with whose permission, and the way to the service. */
export interface RedshiftOptions
  extends DatabaseRequest, Pick<ConnectionOptions, 'proxy' | 'caBundle' | 'verifyTls' | 'timeoutSeconds'> {
  /** AWS credentials: what `fromRolesAnywhere` gives, or any provider of the AWS SDK for JavaScript v3. */
  readonly credentials: AwsCredentialSource;
  /** Is told of warnings, such as that the service is asked too often; nobody is unless given. */
  readonly reporter?: Reporter;
  /** For tests. */
  readonly clock?: Clock;
}

/** A login to an Amazon Redshift database, and where to use it. */
export type RedshiftLogin = Pick<
  DatabaseCredentials,
  'dbUser' | 'dbPassword' | 'expiration' | 'host' | 'port' | 'database'
>;

/**
 * Gives a login that is good now. The one at hand is given until it is time for the next, which one call fetches
 * whoever asks; while that fails, until its end. `forceRefresh` fetches one now.
 *
 * @throws RolesAnywhereError what the AWS credentials' source throws, SERVICE_REFUSED, SERVICE_UNREACHABLE, SERVICE_FAILED,
 *   SERVICE_TIMEOUT, TLS_UNTRUSTED, PROXY_FAILED, FILE_UNREADABLE, when no login is good any more
 */
export type RedshiftLoginProvider = (options?: { readonly forceRefresh?: boolean }) => Promise<RedshiftLogin>;

/** Milliseconds until a call that failed is made again, while the login at hand is good. */
const pace = 15_000;

/**
 * Logins to Amazon Redshift inside a program, each for some minutes. Nothing is sent before the first is asked for, and
 * nothing keeps the program from ending.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function redshiftLogin(options: RedshiftOptions): RedshiftLoginProvider {
  const { credentials, reporter = silent, clock = systemClock, ...rest } = options;
  const request = prepareDatabase(rest);
  const connection = { ...rest, reporter: daily(reporter, () => clock.now()) };
  let held: { readonly login: RedshiftLogin; readonly due: number; readonly end: number } | undefined;
  let flight: Promise<RedshiftLogin> | undefined;
  let told: unknown;

  const renew = async (): Promise<RedshiftLogin> => {
    const made = await getDatabaseCredentials(request, credentials, connection);
    const [now, { due, end }] = [clock.elapsed(), lifetimeOf(made)];
    const { dbUser, dbPassword, expiration, host, port, database } = made;
    const login = { dbUser, dbPassword, expiration, host, port, database };
    held = { login, due: now + due, end: now + end };
    told = undefined;
    return login;
  };
  return async ({ forceRefresh = false } = {}) => {
    if (!forceRefresh && held !== undefined && clock.elapsed() < held.due) return held.login;
    flight ??= renew().finally(() => (flight = undefined));
    try {
      return await flight;
    } catch (error) {
      const now = clock.elapsed();
      if (forceRefresh || held === undefined || now >= held.end) throw error;
      if (!isSameReason(told, error)) {
        const { message, hint } = describeFailure(error);
        reporter.warn(`the last database login stays in use: ${message}`, hint);
      }
      told = error;
      held = { ...held, due: Math.min(now + pace, held.end) };
      return held.login;
    }
  };
}
