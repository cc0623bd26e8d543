import { createSession } from '../aws/create-session.ts';
import type { ConnectionOptions, PreparedSession, Session } from '../aws/create-session.ts';
import type { Credentials } from '../aws/credentials.ts';
import type { Learned } from '../aws/http.ts';
import { pause } from '../aws/retry.ts';
import { expiresSoon, warnOfExpiry } from '../certificate/suitability.ts';
import type { CertificateOutline } from '../certificate/suitability.ts';
import { RolesAnywhereError } from '../errors.ts';
import { openIdentity } from '../identity/identity.ts';
import { identityFiles, isOnToken } from '../identity/options.ts';
import type { Identity } from '../identity/identity.ts';
import type { IdentityOptions } from '../identity/options.ts';
import { Streams } from '../key/source.ts';
import type { Reporter } from '../reporter.ts';
import { silent } from '../reporter.ts';
import { fileVersion } from '../runtime/file-version.ts';
import { describeFailure, isHopeless, isSameReason } from './failure.ts';

/** A session with what its refresher needs to know of it. */
export interface OpenedSession {
  readonly session: Session;
  readonly credentials: Credentials;
  /** When the service opened it, by the service's clock. */
  readonly opened: Date;
  /** Milliseconds that the service's clock was ahead of ours, as far as its answers told. */
  readonly skew?: number;
  /** What it was signed with; not known of a session that an older version of ours opened and shared. */
  readonly certificate?: CertificateOutline;
  /** It was signed with the last good key and certificate: what their sources hold now cannot be used. */
  readonly isLastGood?: true;
}

export interface OpenOptions {
  /** Not one that another process opened earlier. */
  readonly fresh?: boolean;
  /** One attempt alone: whoever asks tries again by itself. */
  readonly once?: boolean;
  /** Seconds for the call, where they are fewer than usual. */
  readonly timeoutSeconds?: number;
}

/** Opens sessions again and again from one description; one at a time. */
export interface SessionSource extends AsyncDisposable {
  /** The files whose change should cause a new session. */
  readonly files: readonly string[];
  /** @throws RolesAnywhereError as `openIdentity` and `createSession` do */
  open(options?: OpenOptions): Promise<OpenedSession>;
}

export interface SessionSourceOptions {
  /** Where key and certificate are: both are read anew, as one, for each session. */
  readonly identity: IdentityOptions;
  readonly session: PreparedSession;
  /** Its reporter is told of key and certificate too, and of the same at every session. */
  readonly connection?: ConnectionOptions;
}

/** Two attempts a second are the most that a service which fails shall see of us. */
const shortestPause = 500;

/**
 * Opens sessions for as long as a process lives. Key and certificate are read for each one, so that they may be renewed
 * meanwhile; while what is there cannot be used, the last that could be stays in use.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function sessionSource(options: SessionSourceOptions): SessionSource {
  return new IdentitySource(options);
}

class IdentitySource implements SessionSource {
  readonly files: readonly string[];
  readonly #session: PreparedSession;
  readonly #identityOptions: IdentityOptions;
  readonly #connection: ConnectionOptions;
  readonly #reporter: Reporter;
  readonly #now: () => Date;
  readonly #streams = new Streams();
  readonly #learned: Learned = {};
  #identity: Identity | undefined;
  /** The state of the files that the identity was read from, or last could not be. */
  #version = '';
  /** A token's identity is kept, and found anew when there may be another. */
  #isDoubtful = false;
  /** Trying these files once more could lock a token. */
  #isHopeless = false;
  /** Why the last good identity is in use, where it is. */
  #complaint: unknown;
  #isClosed = false;

  constructor({ identity, session, connection = {} }: SessionSourceOptions) {
    this.#now = connection.now ?? (() => new Date());
    this.#reporter = connection.reporter ?? silent;
    this.#session = session;
    const { sleep = pause } = connection;
    this.#connection = {
      ...connection,
      reporter: this.#reporter,
      learned: this.#learned,
      sleep: (milliseconds) => sleep(Math.max(milliseconds, shortestPause)),
    };
    this.#identityOptions = { ...identity, reporter: this.#reporter, streams: this.#streams, now: this.#now };
    this.files = identityFiles(identity);
  }

  async open({ once = false, timeoutSeconds }: OpenOptions = {}): Promise<OpenedSession> {
    const identity = await this.#current();
    const { certificate } = identity;
    warnOfExpiry(certificate, this.#now(), this.#reporter);
    try {
      const session = await createSession(identity, this.#session, {
        ...this.#connection,
        ...(once && { attempts: 1 }),
        ...(timeoutSeconds !== undefined && { timeoutSeconds }),
      });
      const { skew = 0 } = this.#learned;
      const opened = new Date(this.#now().getTime() + skew);
      const isLastGood = this.#complaint !== undefined;
      return {
        ...{ session, credentials: session.credentials, opened, skew, certificate },
        ...(isLastGood && { isLastGood }),
      };
    } catch (error) {
      this.#isDoubtful = !(error instanceof RolesAnywhereError) || error.code === 'SERVICE_REFUSED';
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#streams[Symbol.dispose]();
    await this.#identity?.[Symbol.asyncDispose]();
  }

  /** Read anew, unless that cannot help; the last good one where it fails. */
  async #current(): Promise<Identity> {
    this.#checkOpen();
    const last = this.#identity;
    const now = this.#now();
    const version = fileVersion(this.files);
    const isUnchanged = version === this.#version;
    if (last !== undefined && isUnchanged && (this.#isHopeless || this.#mayKeep(last, now))) return last;
    try {
      const identity = await openIdentity(this.#identityOptions);
      if (this.#isClosed) await identity[Symbol.asyncDispose]();
      this.#checkOpen();
      this.#identity = identity;
      this.#isDoubtful = this.#isHopeless = false;
      this.#complain(undefined);
      await last?.[Symbol.asyncDispose]();
      return identity;
    } catch (error) {
      this.#isHopeless = isHopeless(error);
      if (last === undefined || last.certificate.notAfter < now) throw error;
      this.#complain(error);
      return last;
    } finally {
      // The state before reading: what changed meanwhile is read again.
      this.#version = version;
    }
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new RolesAnywhereError('INVALID_ARGUMENT', 'no session can be opened any more: this is closed');
  }

  /** A session with a token is worth keeping: opening one may cost a PIN, or a person. */
  #mayKeep({ certificate }: Identity, now: Date): boolean {
    return isOnToken(this.#identityOptions) && !this.#isDoubtful && !expiresSoon(certificate, now);
  }

  /** Once, and again when the reason is another. */
  #complain(error: unknown): void {
    if (isSameReason(this.#complaint, error)) return;
    this.#complaint = error;
    if (error === undefined) {
      this.#reporter.note?.('key and certificate are well again');
    } else {
      const { message, hint } = describeFailure(error);
      this.#reporter.warn(`the last good key and certificate stay in use: ${message}`, hint);
    }
  }
}
