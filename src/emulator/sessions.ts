import { randomBytes, randomInt } from 'node:crypto';
import { Secret } from '../secret.ts';
import { accountId } from './account.ts';

/** A session that the emulator issued, and all it takes to check a request signed with it. */
export interface IssuedSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret<string>;
  readonly sessionToken: Secret<string>;
  readonly expiration: Date;
  readonly roleName: string;
  readonly assumedRoleArn: string;
  /** `AROA…:session name`: what STS calls the user ID. */
  readonly assumedRoleId: string;
  readonly sourceIdentity: string;
  readonly tags: Readonly<Record<string, string>>;
}

interface SessionGrant {
  readonly role: { readonly name: string; readonly id: string };
  readonly sessionName: string;
  readonly sourceIdentity: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly expiration: Date;
}

/** An expired session is remembered for an hour, so that its user hears that it expired, not that it never was. */
const graceMilliseconds = 3_600_000;
const maximumSessions = 10_000;

/** The sessions that are out, oldest first; so many at most, and the oldest goes first. */
export class Sessions {
  readonly #sessions = new Map<string, IssuedSession>();

  issue({ role, sessionName, sourceIdentity, tags, expiration }: SessionGrant, now: Date): IssuedSession {
    this.#evict(now);
    const session: IssuedSession = {
      accessKeyId: `ASIA${randomText(16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')}`,
      secretAccessKey: new Secret(randomBytes(30).toString('base64')),
      // As long as a real one, with the same start: base64 of the words that they all begin with.
      sessionToken: new Secret(
        Buffer.concat([Buffer.from('!\n\torigin_ec'), randomBytes(640)]).toString('base64'),
      ),
      expiration,
      roleName: role.name,
      assumedRoleArn: `arn:aws:sts::${accountId}:assumed-role/${role.name}/${sessionName}`,
      assumedRoleId: `${role.id}:${sessionName}`,
      sourceIdentity,
      tags,
    };
    this.#sessions.set(session.accessKeyId, session);
    return session;
  }

  find(accessKeyId: string): IssuedSession | undefined {
    return this.#sessions.get(accessKeyId);
  }

  #evict(now: Date): void {
    for (const [key, { expiration }] of this.#sessions) {
      const forgotten = expiration.getTime() + graceMilliseconds < now.getTime();
      if (forgotten || this.#sessions.size >= maximumSessions) {
        this.#sessions.delete(key);
      }
    }
  }
}

function randomText(length: number, alphabet: string): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}
