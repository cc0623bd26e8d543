import type { Reporter } from '../reporter.ts';
import { harmless, stderrReporter, tellLine } from './output.ts';

/**
 * What a long-lived command tells on standard error.
 *
 * @param format `json` for one object a line: `{"time","level","message"}`, with `hint` where there is one
 */
export function daemonLog(format: 'text' | 'json', debug: boolean): Required<Reporter> {
  if (format === 'text') return stderrReporter(debug);
  const log = (level: 'warning' | 'note' | 'debug', message: string, hint?: string): void => {
    tellLine(harmless(JSON.stringify({ time: new Date().toISOString(), level, message, hint })));
  };
  return {
    warn(message, hint) {
      log('warning', message, hint);
    },
    note(message) {
      log('note', message);
    },
    debug(message) {
      if (debug) log('debug', message);
    },
  };
}
