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

export type Level = 'error' | 'hint' | 'warning' | 'note' | 'debug';

/** Tells the user one line on standard error. There is nobody left to tell when that fails. */
export function tell(level: Level, text: string): void {
  tellLine(`rolesanywhere: ${level}: ${harmless(text)}`);
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

/** What the library reports, on standard error; steps only with `--debug`, with the time since the process began. */
export function stderrReporter(debug: boolean): Required<Reporter> {
  return {
    warn(message, hint) {
      tell('warning', message);
      if (hint !== undefined) tell('hint', hint);
    },
    note(message) {
      tell('note', message);
    },
    debug(message) {
      if (debug) tell('debug', `${performance.now().toFixed(1).padStart(6)} ms  ${message}`);
    },
  };
}

/** A pipe may be non-blocking (Node's own children get such) and may take less than it is given. */
function writeAll(descriptor: number, contents: string | Uint8Array): void {
  const bytes = Buffer.from(contents);
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
