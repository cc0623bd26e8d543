import { editFile } from '../credentials/edit-file.ts';
import { describeFailure, isSameReason } from '../credentials/failure.ts';
import type { Reporter } from '../reporter.ts';
import type { Clock } from '../runtime/clock.ts';
import type { DatabaseConnection } from './connection.ts';
import { pgpass, pgpassKey } from './formats/pgpass.ts';

/**
 * Puts a connection's password into a libpq password file (0600), instead of the one that is there for the same host,
 * port, database and user; every other line stays. It goes first: libpq takes the first line that fits, and others may
 * fit everything.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE, FILE_UNWRITABLE
 */
export async function writePassword(
  file: string,
  connection: DatabaseConnection,
  signal?: AbortSignal,
): Promise<void> {
  const key = pgpassKey(connection);
  const line = pgpass(connection);
  await editFile(
    file,
    (contents) => {
      // By bytes: the other lines are in whatever encoding their writer likes.
      const text = Buffer.from(contents).toString('latin1');
      const own = Buffer.from(line).toString('latin1');
      const ownKey = Buffer.from(key).toString('latin1');
      const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
      const others = lines.filter((each) => !each.startsWith(ownKey));
      return Buffer.from(`${[own, ...others].join('\n')}\n`, 'latin1');
    },
    signal,
  );
}

/** A connection and when its password should be replaced, by this machine's clock. */
export interface Renewable {
  readonly connection: DatabaseConnection;
  readonly refreshAt: Date;
}

export interface PassfileOptions {
  readonly file: string;
  /** What is in the file already. */
  readonly first: Renewable;
  /** New credentials; or the same again, while another process is getting new ones. */
  readonly next: () => Promise<Renewable>;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
  readonly clock: Clock;
}

/** Milliseconds between attempts while there is nothing new. */
const pace = 15_000;
/** How often the time is looked at: a timer goes on where the machine slept, without what it slept. */
const slice = 2_000;

/**
 * Keeps a password file fresh until the signal is aborted, and then ends at once, whatever it is at. Failures are told,
 * once each, and do not end it: the password that is there may still be good.
 */
export async function keepPasswordFresh(options: PassfileOptions): Promise<void> {
  const { file, next, signal, reporter, clock } = options;
  const over = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve(undefined);
    });
  });
  const isOver = (): boolean => signal.aborted;
  let current = options.first;
  let told: unknown;
  for (let wait = 0; ; wait = pace) {
    // By a clock that nobody sets.
    const due = clock.elapsed() + Math.max(wait, current.refreshAt.getTime() - clock.now().getTime());
    while (!isOver() && clock.elapsed() < due) {
      await clock.sleep(Math.min(slice, due - clock.elapsed()), signal);
    }
    if (isOver()) return;
    try {
      const renewed = await Promise.race([next(), over]);
      if (renewed === undefined) return;
      if (renewed.connection.password !== current.connection.password) {
        await writePassword(file, renewed.connection, signal);
      }
      current = renewed;
      told = undefined;
    } catch (error) {
      if (!isSameReason(told, error) && !isOver()) {
        const { message, hint } = describeFailure(error);
        reporter.warn(`cannot refresh the password in ${file}: ${message}`, hint);
      }
      told = error;
    }
  }
}
