import type { Session } from '../aws/create-session.ts';
import type { Credentials } from '../aws/credentials.ts';
import { advisoryAt } from './lifetime.ts';
import type { Entry } from './cache/entry.ts';
import type { OpenedSession } from './session-source.ts';

/* Also on the way of every cached credential_process call: it imports nothing that is not there anyway. */

/** A session in the cache: as it was opened, with text for times, and without the certificate. */
export interface StoredSession {
  readonly session: Omit<Session, 'credentials'>;
  readonly credentials: Omit<Credentials, 'expiration'> & { readonly expiration: string };
  readonly opened: string;
  readonly skew?: number;
}

/**
 * The entry for a session that was just opened. Only the length of its life is taken from the service's clock: by ours,
 * it begins now, so that a clock that is wrong does not make it last longer.
 *
 * @param durationSeconds what was asked for: the service gives no more
 */
export function sessionEntry(
  opened: OpenedSession,
  now: Date,
  durationSeconds: number,
): Entry<StoredSession> {
  const { skew } = opened;
  const { credentials, ...session } = opened.session;
  const life = Math.min(credentials.expiration.getTime() - opened.opened.getTime(), durationSeconds * 1000);
  const lifetime = { opened: now, expiration: new Date(now.getTime() + life) };
  return {
    ...lifetime,
    refreshAt: advisoryAt(lifetime),
    payload: {
      session,
      credentials: { ...credentials, expiration: credentials.expiration.toISOString() },
      opened: opened.opened.toISOString(),
      ...(skew !== undefined && { skew }),
    },
  };
}

export function storedCredentials({ credentials }: StoredSession): Credentials {
  return { ...credentials, expiration: new Date(credentials.expiration) };
}

export function storedSession(stored: StoredSession): OpenedSession {
  const credentials = storedCredentials(stored);
  return {
    session: { ...stored.session, credentials },
    credentials,
    opened: new Date(stored.opened),
    ...(stored.skew !== undefined && { skew: stored.skew }),
  };
}
