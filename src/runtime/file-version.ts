import { statSync } from 'node:fs';
import { errnoOf } from './errno.ts';

/**
 * What tells one state of some files from another without reading them: also a link on their way that leads elsewhere,
 * and a file that comes or goes.
 */
export function fileVersion(paths: readonly string[]): string {
  return paths
    .map((path) => {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
        return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
      } catch (error) {
        return errnoOf(error) ?? 'unknown';
      }
    })
    .join('\n');
}
