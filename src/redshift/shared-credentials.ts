import type { Entry } from '../credentials/cache/entry.ts';
import { shared, type SharedOptions } from '../credentials/cache/store.ts';
import { systemClock } from '../runtime/clock.ts';
import type { DatabaseCredentials } from './credentials.ts';
import { lifetimeOf } from './lifetime.ts';

/** Database credentials in the cache: with text for times. */
type StoredCredentials = Omit<DatabaseCredentials, 'opened' | 'expiration' | 'nextRefresh'> & {
  readonly opened: string;
  readonly expiration: string;
};

/** Database credentials and when to ask for new ones, by this machine's clock. */
export interface TimedCredentials extends DatabaseCredentials {
  readonly refreshAt: Date;
}

export interface SharedCredentialsOptions extends Pick<
  SharedOptions<StoredCredentials>,
  'directory' | 'shape' | 'timeoutSeconds' | 'reporter' | 'isCurrent' | 'clock'
> {
  /** Asks the service, within about so many seconds. */
  readonly request: (seconds: number) => Promise<DatabaseCredentials>;
}

/**
 * Database credentials that all processes of this user share, since the API's rate limit is shared by the whole account.
 *
 * @throws RolesAnywhereError what `request` throws
 */
export async function sharedDatabaseCredentials(
  options: SharedCredentialsOptions,
): Promise<TimedCredentials> {
  const { request, clock = systemClock, ...rest } = options;
  const { payload, refreshAt } = await shared<StoredCredentials>({
    ...rest,
    clock,
    what: 'database credentials',
    open: async (seconds) => {
      const made = await request(seconds);
      return entryOf(made, clock.now());
    },
  });
  const { opened, expiration } = payload;
  return { ...payload, opened: new Date(opened), expiration: new Date(expiration), refreshAt };
}

/** Credentials that were made just now and are shared with nobody. */
export function timed(credentials: DatabaseCredentials, now: Date): TimedCredentials {
  return { ...credentials, refreshAt: entryOf(credentials, now).refreshAt };
}

/** By our clock, their life begins now: the service's may be another (see credentials/stored-session.ts). */
function entryOf(credentials: DatabaseCredentials, now: Date): Entry<StoredCredentials> {
  const { dbUser, dbPassword, opened, expiration, host, port, database } = credentials;
  const { due, end } = lifetimeOf(credentials);
  return {
    opened: now,
    expiration: new Date(now.getTime() + end),
    refreshAt: new Date(now.getTime() + due),
    payload: {
      ...{ dbUser, dbPassword, host, port, database },
      opened: opened.toISOString(),
      expiration: expiration.toISOString(),
    },
  };
}
