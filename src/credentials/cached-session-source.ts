import { warnOfExpiry } from '../certificate/suitability.ts';
import type { Reporter } from '../reporter.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Clock } from '../runtime/clock.ts';
import { shared } from './cache/store.ts';
import type { OpenedSession, SessionSource } from './session-source.ts';
import { sessionEntry, storedSession } from './stored-session.ts';
import type { StoredSession } from './stored-session.ts';

export interface CachedSessionSourceOptions {
  readonly source: SessionSource;
  /** What `cacheDirectory` says. */
  readonly directory: string | undefined;
  /** Everything that shapes the session, read anew each time; undefined when that cannot be told. */
  readonly shape: () => Promise<string | undefined>;
  readonly timeoutSeconds: number;
  /** Whether whoever uses it tries again by itself, as a refresher does. */
  readonly triesAgain: boolean;
  readonly reporter: Reporter;
  readonly clock?: Clock;
}

/**
 * A source whose sessions all processes of this user share. What it gave out once it does not give out again: it is
 * asked again when something newer is wanted.
 */
export function cachedSessionSource(options: CachedSessionSourceOptions): SessionSource {
  const { source, directory, timeoutSeconds, triesAgain, reporter, clock = systemClock } = options;
  let isTold = false;
  let last: { readonly shape: string; readonly opened: Date } | undefined;
  return {
    files: source.files,
    async open({ fresh = false, once = false } = {}) {
      const shape = await options.shape();
      if (shape === undefined) {
        if (!isTold) {
          reporter.warn(
            'the session is not shared with other processes: its certificate is no file that can be read twice',
            'name a file, a variable or a token in --certificate and --intermediates',
          );
        }
        isTold = true;
        return source.open({ once });
      }
      let own: OpenedSession | undefined;
      const entry = await shared<StoredSession>({
        directory,
        shape,
        what: 'session',
        open: async (seconds) => {
          own = await source.open({ once, timeoutSeconds: seconds });
          return sessionEntry(own, clock.now());
        },
        timeoutSeconds,
        newerThan: last?.shape === shape ? last.opened : fresh ? clock.now() : undefined,
        triesAgain,
        // Others shall not get under the new certificate's name what the old one opened.
        isCurrent: async () => own?.isLastGood !== true && (await options.shape()) === shape,
        reporter,
        clock,
      });
      last = { shape, opened: entry.opened };
      if (own !== undefined) return own;
      const session = storedSession(entry.payload);
      // Whoever opened it was told; but that may have been a process whose words nobody reads.
      if (session.certificate) warnOfExpiry(session.certificate, clock.now(), reporter);
      return session;
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}
