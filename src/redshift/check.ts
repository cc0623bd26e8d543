import { createSession } from '../aws/create-session.ts';
import type { CallerIdentity } from '../aws/sts.ts';
import { getCallerIdentity } from '../aws/sts.ts';
import type { ConnectionOptions } from '../aws/http.ts';
import { formatName } from '../certificate/name.ts';
import { warnOfExpiry } from '../certificate/suitability.ts';
import type { SessionSourceOptions } from '../credentials/session-source.ts';
import type { ServiceErrorDetails } from '../aws/service-error.ts';
import { RolesAnywhereError } from '../errors.ts';
import { openIdentity } from '../identity/identity.ts';
import { silent } from '../reporter.ts';
import type { HmacCredentials } from '../sigv4/hmac.ts';
import type { Address, Login } from './api.ts';
import type { DatabaseConnection } from './connection.ts';
import { type AwsCredentialSource, findAddress, requestLogin } from './credentials.ts';
import { permissionPolicy } from './policy.ts';
import { checkTls, isPrivate, logIn, reachPort, resolveHost } from './reach.ts';
import type { PreparedDatabase } from './request.ts';

export interface CheckOptions {
  readonly request: PreparedDatabase;
  /** What the AWS credentials are of; where there is no session, `aws` gives them. */
  readonly session: SessionSourceOptions | undefined;
  readonly aws: AwsCredentialSource;
  readonly connection: ConnectionOptions;
  readonly tls: Pick<DatabaseConnection, 'sslMode' | 'sslRootCert'>;
}

/** Something that holds, in a few words. */
export interface Finding {
  readonly step: string;
  readonly holds: string;
}

/**
 * Walks the whole way to the database, a step at a time, and says what holds. Nothing comes out of a cache: what is true
 * now is not in one.
 *
 * @throws RolesAnywhereError at the first step that fails, with its likely cause as the hint
 */
export async function* checkRedshift(options: CheckOptions): AsyncGenerator<Finding> {
  const { request, connection, tls } = options;
  const aws = yield* options.session === undefined ? given(options.aws) : opened(options.session);

  const caller = await getCallerIdentity(aws, { ...connection, region: request.region });
  yield { step: 'caller', holds: caller.arn };

  const login = await allowed(options, caller, 'LogIn', () => requestLogin(request, aws, connection));
  yield { step: 'permission', holds: `to log in as ${login.dbUser} until ${login.expiration.toISOString()}` };

  const address = await findDatabase(options, caller, aws);
  yield { step: 'database', holds: `${address.host}, port ${address.port}` };

  yield* reach(address, login, { ...options, tls });
}

async function* given(aws: AwsCredentialSource): AsyncGenerator<Finding, HmacCredentials> {
  const credentials = await aws();
  yield { step: 'credentials', holds: `AWS access key ${credentials.accessKeyId}` };
  return credentials;
}

async function* opened(options: SessionSourceOptions): AsyncGenerator<Finding, HmacCredentials> {
  const { connection = {} } = options;
  await using identity = await openIdentity(options.identity);
  const { subject, notAfter } = identity.certificate;
  warnOfExpiry(identity.certificate, new Date(), connection.reporter ?? silent);
  yield { step: 'certificate', holds: `${formatName(subject)}, until ${notAfter.toISOString()}` };
  try {
    const { credentials } = await createSession(identity, options.session, connection);
    yield { step: 'session', holds: `until ${credentials.expiration.toISOString()}` };
    return credentials;
  } catch (error) {
    if (!isDenied(error) || error.hint?.includes('trust policy') !== true) throw error;
    throw new RolesAnywhereError(error.code, error.message, {
      cause: error.cause,
      hint: `${error.hint}; redshift policy, with the same options, prints a trust policy that does`,
    });
  }
}

async function* reach(
  address: Address,
  login: Login,
  { request, tls }: CheckOptions,
): AsyncGenerator<Finding> {
  const addresses = await resolveHost(address.host);
  const kind = addresses.some(isPrivate) ? ' (private)' : '';
  yield { step: 'host', holds: `${addresses.join(', ')}${kind}` };

  await reachPort(address, addresses);
  yield { step: 'port', holds: `${address.port} is open` };

  const { dbUser: user, dbPassword: password } = login;
  const database: DatabaseConnection = { ...address, database: request.database, user, password, ...tls };
  if (tls.sslMode !== 'disable') {
    const { protocol, issuer } = await checkTls(database, addresses);
    yield { step: 'TLS', holds: `${protocol}, certificate by ${issuer} (${tls.sslMode})` };
  }
  yield { step: 'login', holds: `select current_user: ${await logIn(database)}` };
}

function findDatabase(options: CheckOptions, caller: CallerIdentity, aws: HmacCredentials): Promise<Address> {
  return allowed(options, caller, 'FindDatabase', () =>
    findAddress(options.request, aws, options.connection),
  );
}

/** A refusal for want of a permission says which one: the statement as the role's policy must have it. */
async function allowed<T>(
  { request }: CheckOptions,
  { account }: CallerIdentity,
  sid: string,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isDenied(error)) throw error;
    const { Statement } = permissionPolicy(request, account);
    const needed =
      sid === 'LogIn'
        ? Statement.filter(({ Sid }) => Sid !== 'FindDatabase')
        : Statement.filter(({ Sid }) => Sid === sid);
    throw new RolesAnywhereError(error.code, error.message, {
      cause: error.cause,
      hint: `the role needs the permission ${needed.map((statement) => JSON.stringify(statement)).join(' ')}`,
    });
  }
}

function isDenied(error: unknown): error is RolesAnywhereError {
  if (!(error instanceof RolesAnywhereError) || error.code !== 'SERVICE_REFUSED') return false;
  const { code } = error.cause as ServiceErrorDetails;
  return code === 'AccessDenied' || code === 'AccessDeniedException';
}
