import { unlinkSync } from 'node:fs';

/** Removes a file of ours that may be gone, or may stay where it cannot be removed. */
export function removeQuietly(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // Cleaned up another time.
  }
}
