import { withoutRequestId } from '../aws/service-error.ts';
import type { Reporter } from '../reporter.ts';

const day = 86_400_000;

/** Passes each warning on once a day: a daemon meets the same one at every refresh. */
export function daily(reporter: Reporter, now = () => new Date()): Reporter {
  const told = new Map<string, number>();
  return {
    ...reporter,
    debug: (message) => {
      reporter.debug(message);
    },
    warn(message, hint) {
      const time = now().getTime();
      const words = withoutRequestId(message);
      for (const [known, at] of told) if (Math.abs(time - at) >= day) told.delete(known);
      if (told.has(words)) return;
      told.set(words, time);
      reporter.warn(message, hint);
    },
  };
}
