import { createSession } from '../aws/create-session.ts';
import type { ConnectionOptions, PreparedSession, Session } from '../aws/create-session.ts';
import type { Credentials } from '../aws/credentials.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { openIdentity } from '../identity.ts';
import type { Identity, IdentityOptions } from '../identity.ts';

/** A session with what its refresher needs to know of it. */
export interface OpenedSession {
  readonly session: Session;
  readonly credentials: Credentials;
  /** When the service opened it, by the service's clock. */
  readonly opened: Date;
  /** Milliseconds that the service's clock was ahead of ours, where it was so far off that the service refused us. */
  readonly skew?: number;
  /** What it was signed with; not known of a session that another process opened. */
  readonly certificate?: Pick<Certificate, 'notBefore' | 'notAfter' | 'serialNumber' | 'subject'>;
}

/** Opens sessions again and again from one description. */
export interface SessionSource extends AsyncDisposable {
  /** The files whose change should cause a new session. */
  readonly files: readonly string[];
  /**
   * @param options.fresh not one that another process opened earlier
   * @throws RolesAnywhereError as `openIdentity` and `createSession` do
   */
  open(options?: { readonly fresh?: boolean }): Promise<OpenedSession>;
}

export interface SessionSourceOptions {
  /** Where key and certificate are, read anew for each session; or the caller's own, which stays the caller's. */
  readonly identity: IdentityOptions | Identity;
  readonly session: PreparedSession;
  readonly connection?: ConnectionOptions;
}

export function sessionSource({ identity, session, connection }: SessionSourceOptions): SessionSource {
  const own = 'signer' in identity ? identity : undefined;
  const open = async (): Promise<Identity> => own ?? (await openIdentity(identity as IdentityOptions));
  return {
    files: own === undefined ? filesOf(identity as IdentityOptions) : [],
    async open() {
      const opened = await open();
      try {
        const answer = await createSession(opened, session, connection);
        return {
          session: answer,
          credentials: answer.credentials,
          opened: connection?.now?.() ?? new Date(),
          certificate: opened.certificate,
        };
      } finally {
        if (own === undefined) await opened[Symbol.asyncDispose]();
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function filesOf({ certificate, privateKey, intermediates }: IdentityOptions): readonly string[] {
  return [certificate, privateKey, intermediates].filter(
    (text): text is string => text !== undefined && text !== '-' && !/^(?:env|fd|pkcs11|handle):/.test(text),
  );
}
