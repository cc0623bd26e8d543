import type { ConnectionOptions } from '../aws/http.ts';
import type { ServiceErrorDetails } from '../aws/service-error.ts';
import { RolesAnywhereError } from '../errors.ts';
import { silent } from '../reporter.ts';
import { uptime } from '../runtime/uptime.ts';
import type { HmacCredentials } from '../sigv4/hmac.ts';
import { type Address, askRedshift, askServerless, type Login, readAddress, readLogin } from './api.ts';
import { type PreparedDatabase, standardPort } from './request.ts';

/** Where the AWS credentials come from, as the AWS SDK's credential providers do it. */
export type AwsCredentialSource = (options?: { readonly forceRefresh?: boolean }) => Promise<HmacCredentials>;

/** A login and where to use it. */
export interface DatabaseCredentials extends Login, Address {
  readonly database: string;
}

/**
 * Trades AWS credentials for database credentials: one call, and one more for the address where that is not given. An
 * AWS session that has expired is renewed once. All calls together get the connection's `timeoutSeconds`, which begin
 * when the AWS credentials are there: a person may have been asked for a PIN.
 *
 * @throws RolesAnywhereError what `source` throws, SERVICE_REFUSED, SERVICE_UNREACHABLE, SERVICE_FAILED, SERVICE_TIMEOUT,
 *   TLS_UNTRUSTED, PROXY_FAILED, FILE_UNREADABLE, INVALID_ARGUMENT
 */
export async function getDatabaseCredentials(
  request: PreparedDatabase,
  source: AwsCredentialSource,
  connection: ConnectionOptions = {},
): Promise<DatabaseCredentials> {
  const { timeoutSeconds = 60 } = connection;
  let end: number | undefined;
  const inTime = (): ConnectionOptions => {
    end ??= uptime() + timeoutSeconds * 1000;
    return { ...connection, timeoutSeconds: Math.max(1, Math.ceil((end - uptime()) / 1000)) };
  };
  return withAwsCredentials(source, connection, async (credentials) => {
    // One after the other: a refusal of the first spares the second.
    const login = await requestLogin(request, credentials, inTime());
    const address = await findAddress(request, credentials, inTime());
    return { ...login, ...address, database: request.database };
  });
}

/** Runs calls with AWS credentials, once more with new ones when the service finds them expired. */
async function withAwsCredentials<T>(
  source: AwsCredentialSource,
  { reporter = silent }: ConnectionOptions,
  use: (credentials: HmacCredentials) => Promise<T>,
): Promise<T> {
  const credentials = await source();
  try {
    return await use(credentials);
  } catch (error) {
    if (!isExpired(error)) throw error;
    reporter.debug('the AWS session has expired: asking for a new one');
    const renewed = await source({ forceRefresh: true });
    // Those of the environment stay as they are.
    if (renewed.accessKeyId === credentials.accessKeyId) throw error;
    return use(renewed);
  }
}

function isExpired(error: unknown): boolean {
  if (!(error instanceof RolesAnywhereError) || error.code !== 'SERVICE_REFUSED') return false;
  const { code } = error.cause as ServiceErrorDetails;
  return code === 'ExpiredToken' || code === 'ExpiredTokenException';
}

/** GetClusterCredentials, GetClusterCredentialsWithIAM or serverless GetCredentials, as the request has it. */
export async function requestLogin(
  request: PreparedDatabase,
  credentials: HmacCredentials,
  connection: ConnectionOptions,
): Promise<Login> {
  const { region, database, durationSeconds, dbUser, dbGroups, autoCreate } = request;
  if (request.workgroup !== undefined) {
    const parameters = {
      ...serverlessTarget(request),
      dbName: database,
      durationSeconds: String(durationSeconds),
    };
    const answer = await askServerless('GetCredentials', parameters, region, credentials, connection);
    const names = { dbUser: 'dbUser', dbPassword: 'dbPassword', expiration: 'expiration' };
    return readLogin(answer, { ...names, nextRefresh: 'nextRefreshTime' });
  }
  const parameters = {
    ...clusterTarget(request),
    DbName: database,
    DurationSeconds: String(durationSeconds),
    ...(dbUser === undefined ? {} : { DbUser: dbUser, AutoCreate: String(autoCreate) }),
    ...Object.fromEntries(dbGroups.map((group, index) => [`DbGroups.DbGroup.${index + 1}`, group])),
  };
  const action = dbUser === undefined ? 'GetClusterCredentialsWithIAM' : 'GetClusterCredentials';
  const answer = await askRedshift(action, parameters, region, credentials, connection);
  const names = { dbUser: 'DbUser', dbPassword: 'DbPassword', expiration: 'Expiration' };
  return readLogin(answer, { ...names, nextRefresh: 'NextRefreshTime' });
}

/** Where to connect to: what was given, the custom domain, or what DescribeClusters and GetWorkgroup say. */
export async function findAddress(
  request: PreparedDatabase,
  credentials: HmacCredentials,
  connection: ConnectionOptions,
): Promise<Address> {
  const { region, cluster, workgroup, customDomain, host, port } = request;
  const known = host ?? customDomain;
  if (known !== undefined) return { host: known, port: port ?? standardPort };
  const described =
    workgroup !== undefined
      ? readAddress(
          await askServerless('GetWorkgroup', { workgroupName: workgroup }, region, credentials, connection),
          ['workgroup', 'endpoint'],
          ['address', 'port'],
        )
      : readAddress(
          await askRedshift(
            'DescribeClusters',
            { ClusterIdentifier: cluster ?? '' },
            region,
            credentials,
            connection,
          ),
          ['Clusters', 'Cluster', 'Endpoint'],
          ['Address', 'Port'],
        );
  return { host: described.host, port: port ?? described.port };
}

/** A custom domain names its database as well as the identifier does. */
function clusterTarget({ cluster, customDomain }: PreparedDatabase): Readonly<Record<string, string>> {
  return customDomain === undefined
    ? { ClusterIdentifier: cluster ?? '' }
    : { CustomDomainName: customDomain };
}

function serverlessTarget({ workgroup, customDomain }: PreparedDatabase): Readonly<Record<string, string>> {
  return customDomain === undefined ? { workgroupName: workgroup ?? '' } : { customDomainName: customDomain };
}
