import type { Refresher } from '../credentials/refresher.ts';
import type { OpenedSession } from '../credentials/session-source.ts';
import { RolesAnywhereError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { documentsOf } from './documents.ts';
import type { Documents } from './documents.ts';

/** What the server asks of the engine. */
export type Keeper = Pick<Refresher, 'sessionAt' | 'state' | 'get'>;

/** Milliseconds that a request waits for a session where there is none: as after a suspended machine wakes up. */
const patience = 5000;

/** The documents of the session that is held, made once for each. */
export class HeldDocuments {
  readonly #keeper: Keeper;
  readonly #roleArn: string;
  readonly #clock: Clock;
  #made: { readonly session: OpenedSession; readonly documents: Documents } | undefined;

  constructor(keeper: Keeper, roleArn: string, clock: Clock) {
    this.#keeper = keeper;
    this.#roleArn = roleArn;
    this.#clock = clock;
  }

  /**
   * At once while there is a session; else the outcome of the attempt under way, if it comes soon.
   *
   * @param elapsed the moment of the request, in milliseconds of the clock's `elapsed`
   * @throws what the attempt throws, SERVICE_TIMEOUT
   */
  get(elapsed: number): Documents | Promise<Documents> {
    const session = this.#keeper.sessionAt(elapsed);
    return session === undefined ? this.#wait() : this.#of(session);
  }

  #of(session: OpenedSession): Documents {
    if (this.#made?.session !== session) {
      this.#made = { session, documents: documentsOf(session, this.#roleArn) };
    }
    return this.#made.documents;
  }

  async #wait(): Promise<Documents> {
    const done = new AbortController();
    const tooLate = this.#clock.sleep(patience, done.signal).then(() => {
      throw new RolesAnywhereError('SERVICE_TIMEOUT', 'a session is still being opened');
    });
    try {
      return this.#of(await Promise.race([this.#keeper.get(), tooLate]));
    } finally {
      done.abort();
      tooLate.catch(() => undefined);
    }
  }
}

/** Why there are no credentials, for whoever asked for some. */
export function reasonOfFailure(error: unknown): { readonly code: string; readonly message: string } {
  return error instanceof RolesAnywhereError
    ? { code: error.code, message: error.message }
    : { code: 'INTERNAL', message: 'this is a defect of rolesanywhere' };
}
