import { editFile } from '../credentials/edit-file.ts';
import { describeFailure } from '../credentials/failure.ts';
import type { Reporter } from '../reporter.ts';
import type { Clock } from '../runtime/clock.ts';
import type { DatabaseConnection } from './connection.ts';
import { pgpass, pgpassKey } from './formats/pgpass.ts';

/**
 * Puts a connection's password into a libpq password file (0600), in the place of the one that is there for the same
 * host, port, database and user; every other line stays. A new line goes first: libpq takes the first that fits, and
 * others may fit everything.
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
      const place = lines.findIndex((each) => each.startsWith(ownKey));
      const others = lines.filter((each) => !each.startsWith(ownKey));
      others.splice(Math.max(0, place), 0, own);
      return Buffer.from(`${others.join('\n')}\n`, 'latin1');
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

/**
 * Keeps a password file fresh until the signal is aborted. Failures are told, once each, and do not end it: the password
 * that is there may still be good.
 */
export async function keepPasswordFresh(options: PassfileOptions): Promise<void> {
  const { file, next, signal, reporter, clock } = options;
  let current = options.first;
  let told = '';
  const isOver = (): boolean => signal.aborted;
  for (let wait = 0; ; wait = pace) {
    await clock.sleep(Math.max(wait, current.refreshAt.getTime() - clock.now().getTime()), signal);
    if (isOver()) return;
    try {
      const renewed = await next();
      if (renewed.connection.password !== current.connection.password) {
        await writePassword(file, renewed.connection, signal);
      }
      current = renewed;
      told = '';
    } catch (error) {
      const { message, hint } = describeFailure(error);
      if (message !== told && !isOver()) {
        reporter.warn(`cannot refresh the password in ${file}: ${message}`, hint);
      }
      told = message;
    }
  }
}
