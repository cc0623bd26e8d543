import { writeSync } from 'node:fs';
import { RolesAnywhereError } from '../errors.ts';
import type { Reporter } from '../reporter.ts';

/** Thrown when nobody reads standard output any more: the process ends without words, as after SIGPIPE. */
export class ReaderGone extends Error {}

/**
 * Writes a command's result to standard output, all of it before it returns. Not `process.stdout`: loading that
 * costs several milliseconds, and what it buffers is lost at `process.exit`.
 *
 * @throws RolesAnywhereError FILE_UNWRITABLE, ReaderGone
 */
export function print(result: string | Uint8Array): void {
  try {
    writeAll(1, result);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') throw new ReaderGone();
    throw new RolesAnywhereError('FILE_UNWRITABLE', `cannot write to standard output: ${code ?? 'unknown'}`, {
      cause: error,
    });
  }
}

type Level = 'error' | 'warning' | 'note' | 'debug';

let logFormat: 'text' | 'json' = 'text';

/** Makes every further line an object, `{"time","level","message"}`, with `hint` where there is one; or text again. */
export function logAs(format: 'text' | 'json'): void {
  logFormat = format;
}

/** Tells the user on standard error, with the cure where there is one. There is nobody left to tell when that fails. */
export function tell(level: Level, message: string, hint?: string): void {
  if (logFormat === 'json') {
    tellLine(harmless(JSON.stringify({ time: new Date(), level, message, hint })));
    return;
  }
  tellLine(`rolesanywhere: ${level}: ${harmless(message)}`);
  if (hint !== undefined) tellLine(`rolesanywhere: hint: ${harmless(hint)}`);
}

/** Writes one line to standard error as it stands. */
export function tellLine(line: string): void {
  try {
    writeAll(2, `${line}\n`);
  } catch {
    // Standard error is closed or full.
  }
}

/**
 * Messages carry words from the service and from file names: what could move the cursor, change colours, forge a
 * second line or turn the writing direction is spelled out, in the form that JSON knows too.
 */
export function harmless(text: string): string {
  // By its constructor, for V8 loads its Unicode tables as soon as it meets \p in a file that it parses.
  return text.replace(new RegExp('[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]', 'gu'), (character) =>
    character.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}

/** What the library reports, on standard error; steps only with `--debug`, as text with the time since the start. */
export function stderrReporter(debug: boolean): Required<Reporter> {
  return {
    warn(message, hint) {
      tell('warning', message, hint);
    },
    note(message) {
      tell('note', message);
    },
    debug(message) {
      if (!debug) return;
      const time = logFormat === 'json' ? '' : `${performance.now().toFixed(1).padStart(6)} ms  `;
      tell('debug', time + message);
    },
  };
}

/** A pipe may be non-blocking (Node's own children get such) and may take less than it is given. */
function writeAll(descriptor: number, contents: string | Uint8Array): void {
  const bytes = typeof contents === 'string' ? new TextEncoder().encode(contents) : contents;
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
