import { parseArn } from '../aws/arn.ts';
import { environmentCredentials } from '../aws/environment-credentials.ts';
import type { ConnectionOptions } from '../aws/http.ts';
import { cacheDirectory } from '../credentials/cache/directory.ts';
import { daily } from '../credentials/daily.ts';
import { Refresher } from '../credentials/refresher.ts';
import { RolesAnywhereError } from '../errors.ts';
import { type DatabaseConnection, sslModes } from '../redshift/connection.ts';
import {
  type AwsCredentialSource,
  type DatabaseCredentials,
  getDatabaseCredentials,
} from '../redshift/credentials.ts';
import { sslRootCert } from '../redshift/authorities.ts';
import { type PreparedDatabase, prepareDatabase } from '../redshift/request.ts';
import { sharedDatabaseCredentials, timed, type TimedCredentials } from '../redshift/shared-credentials.ts';
import type { Reporter } from '../reporter.ts';
import { env } from '../runtime/env.ts';
import { fileVersion } from '../runtime/file-version.ts';
import { given } from './given.ts';
import type { Values } from './options.ts';
import { connectionOptions, type SessionOptions, sessionOptions } from './session-options.ts';
import { serviceVariables, sessionShape } from './session-shape.ts';
import { commandSessions } from './session-source.ts';
import { oneOf, wholeNumber } from './values.ts';
import { wantsCache } from './wants-cache.ts';

type RedshiftValues = Values<'redshift credentials'>;
type SessionValues = Values<'credential-process'>;

/** What every `redshift` command works with. Nothing has been read or asked yet. */
export interface Redshift extends AsyncDisposable {
  readonly request: PreparedDatabase;
  readonly connection: ConnectionOptions;
  /** AWS credentials: of a session, or those of the environment. */
  readonly aws: AwsCredentialSource;
  /** What the session is opened with; undefined where there is none. */
  readonly session: SessionOptions | undefined;
  /** Database credentials, shared with other processes unless that is off. */
  credentials(): Promise<TimedCredentials>;
}

/** @throws RolesAnywhereError INVALID_ARGUMENT */
export async function openRedshift(values: RedshiftValues, told: Reporter): Promise<Redshift> {
  // A command that runs on meets the same failures at every refresh.
  const reporter = daily(told);
  const isShared = wantsCache(values, true);
  const ofSession = sessionValues(values, isShared);
  const request = databaseRequest(values);
  const connection = connectionOptions(values, reporter);
  const origin = await openOrigin(ofSession, reporter);
  const { aws, session } = origin;

  const timeoutSeconds = connection.timeoutSeconds ?? 60;
  const shapeOf = async (): Promise<string | undefined> => {
    const shape = await origin.shape();
    if (shape === undefined) return undefined;
    // Nobody who checks the service shall get what was asked for unchecked.
    const trust = [values['ca-bundle'] ?? null, values['no-verify-ssl']];
    return JSON.stringify([
      'redshift',
      shape,
      request,
      trust,
      ...serviceVariables(['REDSHIFT', 'REDSHIFT_SERVERLESS']),
    ]);
  };
  return {
    request,
    connection,
    aws,
    session,
    async credentials() {
      const shape = isShared ? await shapeOf() : undefined;
      if (shape === undefined)
        return timed(await getDatabaseCredentials(request, aws, connection), new Date());
      return sharedDatabaseCredentials({
        directory: cacheDirectory(),
        shape,
        request: (seconds) =>
          getDatabaseCredentials(request, aws, { ...connection, timeoutSeconds: seconds }),
        timeoutSeconds,
        isCurrent: async () => (await shapeOf()) === shape,
        reporter,
      });
    },
    [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose](),
  };
}

/** Where the AWS credentials come from. */
interface Origin extends Pick<Redshift, 'aws' | 'session'>, AsyncDisposable {
  /** What tells its credentials from others', without a secret; undefined where that cannot be told. */
  readonly shape: () => Promise<string | undefined>;
}

async function openOrigin(values: SessionValues | undefined, reporter: Reporter): Promise<Origin> {
  if (values === undefined) {
    // Read once: what is missing is missing for good.
    const credentials = environmentCredentials();
    return {
      aws: () => Promise.resolve(credentials),
      session: undefined,
      shape: () => Promise.resolve(credentials.accessKeyId),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const session = sessionOptions(values, reporter);
  const source = await commandSessions(values, session, reporter, { triesAgain: false });
  // One session for all logins of a command that runs on, until its own end comes near or its files are others.
  const sessions = new Refresher({ source, reporter });
  let used: string | undefined;
  return {
    async aws(options) {
      const version = fileVersion(source.files);
      const isChanged = used !== undefined && version !== used;
      used = version;
      return (await (isChanged ? sessions.refresh() : sessions.get(options))).credentials;
    },
    session,
    shape: () => sessionShape(values),
    [Symbol.asyncDispose]: () => sessions[Symbol.asyncDispose](),
  };
}

/**
 * What the command line says of the database.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function databaseRequest(values: RedshiftValues): PreparedDatabase {
  return prepareDatabase(
    given({
      region: regionOf(values),
      cluster: values.cluster,
      workgroup: values.workgroup,
      customDomain: values['custom-domain'],
      database: values.database,
      dbUser: values['db-user'],
      autoCreate: values['auto-create'],
      dbGroups: values['db-group'],
      durationSeconds: wholeNumber('duration', values.duration, 900, 3600),
      host: values.host,
      port:
        values['port-db'] === undefined ? undefined : wholeNumber('port-db', values['port-db'], 1, 65_535),
    }),
  );
}

const arns = ['trust-anchor-arn', 'profile-arn', 'role-arn'] as const;

/**
 * The session that the options describe: all of it, or none, so that a forgotten option does not quietly mean the
 * credentials of the environment. Its region is the trust anchor's: `--region` is the database's.
 */
function sessionValues(values: RedshiftValues, isShared: boolean): SessionValues | undefined {
  const isSession = ['certificate', 'private-key', ...arns].some(
    (name) => values[name as keyof RedshiftValues] !== undefined,
  );
  if (!isSession) return undefined;
  const [trustAnchorArn, profileArn, roleArn] = arns.map((name) => {
    const arn = values[name];
    if (arn !== undefined) return arn;
    throw new RolesAnywhereError('INVALID_ARGUMENT', `missing --${name}`, {
      hint: `a session needs ${arns.map((each) => `--${each}`).join(', ')}`,
    });
  });
  return {
    ...values,
    'trust-anchor-arn': trustAnchorArn ?? '',
    'profile-arn': profileArn ?? '',
    'role-arn': roleArn ?? '',
    region: undefined,
    cache: isShared,
    'no-cache': !isShared,
  };
}

function regionOf(values: RedshiftValues): string {
  const anchor = values['trust-anchor-arn'];
  const region =
    values.region ??
    (anchor === undefined
      ? (env('AWS_REGION') ?? env('AWS_DEFAULT_REGION'))
      : parseArn('--trust-anchor-arn', anchor).region);
  if (region !== undefined) return region;
  throw new RolesAnywhereError('INVALID_ARGUMENT', 'no region is given', {
    hint: 'give --region, or set AWS_REGION',
  });
}

/** How a client shall connect, but for the login. */
export type TlsOptions = Pick<DatabaseConnection, 'sslMode' | 'sslRootCert'>;

/**
 * @param namesSystem whether the client is told of the system's authorities
 * @throws RolesAnywhereError INVALID_ARGUMENT, FILE_UNREADABLE
 */
export function tlsOptions(
  values: { readonly sslmode: string; readonly sslrootcert: string | undefined },
  reporter: Reporter,
  namesSystem = true,
): TlsOptions {
  const sslMode = oneOf('sslmode', values.sslmode, sslModes);
  const options = { sslMode, sslRootCert: sslRootCert(values.sslrootcert, sslMode) };
  if (!sslMode.startsWith('verify')) {
    reporter.warn(
      `with --sslmode ${sslMode} the client does not check whom it sends the password to`,
      'leave --sslmode out',
    );
  } else if (namesSystem && options.sslRootCert.file === undefined) {
    reporter.warn(
      'no file with the authorities of this system was found: psql and its like will refuse to connect',
      'name one with --sslrootcert FILE',
    );
  }
  return options;
}

export function connectionOf(
  { host, port, database, dbUser, dbPassword }: DatabaseCredentials,
  tls: TlsOptions,
  withPassword = true,
): DatabaseConnection {
  return { host, port, database, user: dbUser, password: withPassword ? dbPassword : undefined, ...tls };
}
