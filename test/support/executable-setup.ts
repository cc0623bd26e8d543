import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Builds the standalone executable for this machine, from the source as it stands. */
export default async function setup(): Promise<void> {
  await promisify(execFile)(process.execPath, ['scripts/executable.mjs']);
}
