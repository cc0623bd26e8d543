import { randomBytes } from 'node:crypto';
import { Secret } from '../secret.ts';
import { ServiceError } from './service-error.ts';
import type { Sessions } from './sessions.ts';
import { isoSeconds } from './time.ts';

/** What the Redshift APIs answer from. */
export interface Redshift {
  readonly sessions: Sessions;
  /** Most seconds that credentials last, below what was asked for. */
  readonly sessionTtlSeconds: number | undefined;
  /** Where the issued credentials are good; without one they are good nowhere. */
  readonly database: Database | undefined;
}

/** The database behind every cluster and workgroup. */
export interface Database {
  readonly address: string;
  readonly port: number;
  /**
   * Lets the login in with this password until it expires.
   *
   * @returns why the login will fail all the same, as in the service: a user or group that the database lacks
   * @throws RolesAnywhereError DATABASE_UNREACHABLE, DATABASE_REFUSED
   */
  admit(login: Login): Promise<string | undefined>;
}

/** Whom the credentials are for. */
export interface Grantee {
  /** The name to log in with. */
  readonly name: string;
  /** The database user whose permissions the login has; undefined for one that is a user by itself. */
  readonly user: string | undefined;
  /** Whether the user is made when there is none. */
  readonly create: boolean;
  readonly groups: readonly string[];
}

export interface Login extends Grantee {
  readonly password: Secret<string>;
  readonly expiration: Date;
}

interface DatabaseCredentials {
  readonly dbUser: string;
  readonly dbPassword: Secret<string>;
  readonly expiration: Date;
  readonly nextRefreshTime: Date;
  /** For the request log. */
  readonly details: Readonly<Record<string, string>>;
}

/** What was asked for, or 900 seconds. */
const defaultSeconds = 900;

/**
 * Issues a temporary password, and makes it good in the database when there is one.
 *
 * @throws ServiceError
 */
export async function issueCredentials(
  { database, sessionTtlSeconds = Number.POSITIVE_INFINITY }: Redshift,
  grantee: Grantee,
  durationSeconds: number | undefined,
  now: Date,
): Promise<DatabaseCredentials> {
  const seconds = Math.min(durationSeconds ?? defaultSeconds, sessionTtlSeconds);
  const from = Math.floor(now.getTime() / 1000);
  const expiration = new Date((from + seconds) * 1000);
  const password = new Secret(makePassword());
  const loginFails = await database?.admit({ ...grantee, password, expiration }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : 'unknown error';
    throw new ServiceError('InternalFailure', 'An internal error has occurred.', why);
  });
  return {
    dbUser: grantee.name,
    dbPassword: password,
    expiration,
    // AWS does not say when; with a third left there is time for some retries.
    nextRefreshTime: new Date(Math.floor(from + (seconds * 2) / 3) * 1000),
    details: {
      dbUser: grantee.name,
      expiration: isoSeconds(expiration),
      ...(loginFails === undefined ? {} : { loginFails }),
    },
  };
}

/** The user whom Redshift makes for an IAM identity and knows it by. */
export function identityUser(session: { readonly roleName: string }): Grantee {
  return { name: `IAMR:${session.roleName}`, user: undefined, create: true, groups: [] };
}

/**
 * Every punctuation character of ASCII, and a space: the service says nothing of what passwords consist of. What cannot
 * take one of them shall fail here.
 */
const punctuation = `+/=@:&%;{}'"\\ !#$()*,-.<>?[]^_\`|~`;

/** 240 random bits, half before and half behind the punctuation. The percent sign seems to escape something. */
function makePassword(): string {
  const random = (): string => randomBytes(15).toString('base64url');
  return `${random()}${punctuation.replace('%', '%2B')}${random()}`;
}

/** What the service has: everything that is well-formed, but for what is called `missing`. */
export function exists(name: string): boolean {
  return !/^missing(\.|$)/.test(name);
}

/** Where clients are told to connect; without a database, where one on this machine would listen. */
export function databaseAddress({ database }: Redshift): { address: string; port: number } {
  return { address: database?.address ?? 'localhost', port: database?.port ?? 5439 };
}
