import type { Session } from '../aws/create-session.ts';
import type { CertificateOutline } from '../certificate/suitability.ts';
import { advisoryAt } from './lifetime.ts';
import type { Entry } from './cache/entry.ts';
import { formatProcessCredentials, parseProcessCredentials } from './process-json.ts';
import type { OpenedSession } from './session-source.ts';

/** A session in the cache: as it was opened, with text for times, and an outline of the certificate. */
export interface StoredSession {
  /** The credentials as `credential_process` prints them: most who ask want to print that, as fast as they can. */
  readonly document: string;
  readonly session: Omit<Session, 'credentials'>;
  readonly opened: string;
  readonly skew?: number;
  /** The subject is its DER, in base64. Older versions left all of it out. */
  readonly certificate?: ReturnType<typeof outlineText>;
}

/**
 * The entry for a session that was just opened. Only the length of its life is taken from the service's clock: by ours,
 * it begins now, so that a clock that is wrong does not make it last longer.
 */
export function sessionEntry(opened: OpenedSession, now: Date): Entry<StoredSession> {
  const { skew, certificate } = opened;
  const { credentials, ...session } = opened.session;
  const life = credentials.expiration.getTime() - opened.opened.getTime();
  const lifetime = { opened: now, expiration: new Date(now.getTime() + life) };
  return {
    ...lifetime,
    refreshAt: advisoryAt(lifetime),
    payload: {
      document: formatProcessCredentials(credentials),
      session,
      opened: opened.opened.toISOString(),
      ...(skew !== undefined && { skew }),
      ...(certificate && { certificate: outlineText(certificate) }),
    },
  };
}

export function storedSession(stored: StoredSession): OpenedSession {
  const credentials = parseProcessCredentials(stored.document);
  const { certificate } = stored;
  return {
    session: { ...stored.session, credentials },
    credentials,
    opened: new Date(stored.opened),
    ...(stored.skew !== undefined && { skew: stored.skew }),
    ...(certificate && { certificate: outline(certificate) }),
  };
}

function outlineText({ notBefore, notAfter, serialNumber, subject }: CertificateOutline) {
  return {
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    serialNumber: serialNumber.toString(),
    subject: Buffer.from(subject).toString('base64'),
  };
}

function outline({
  notBefore,
  notAfter,
  serialNumber,
  subject,
}: ReturnType<typeof outlineText>): CertificateOutline {
  return {
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    serialNumber: BigInt(serialNumber),
    subject: Uint8Array.from(Buffer.from(subject, 'base64')),
  };
}
