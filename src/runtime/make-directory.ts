import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './errno.ts';

/**
 * Makes a folder and those above it that are missing, for this user alone.
 *
 * Not by Node's own recursive mkdir: that never ends where the system says of a folder that is there that it is not,
 * as under /proc.
 *
 * @throws the system's error
 */
export function makeDirectory(path: string): void {
  const missing: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    if (statSync(folder, { throwIfNoEntry: false }) !== undefined || folder === dirname(folder)) break;
    missing.push(folder);
  }
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      // Another process was faster.
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
}
