import { installParts } from './system-parts.ts';
import { fetchRuntimes } from './runtimes/runtimes.mjs';

/**
 * Runs once before the end-to-end tests: installs what they need. What cannot be had is reported here, and fails the
 * tests that need it, by name; the others run.
 */
export default async function setup(): Promise<void> {
  const results = await Promise.allSettled([installParts(), fetchRuntimes()]);
  for (const result of results) {
    if (result.status === 'rejected') console.error('system set-up:', result.reason);
  }
}
