import { runtime, target } from '../../runtime/platform.ts';
import { version } from '../../runtime/version.ts';
import type { Reading } from '../fast-path.ts';
import { print } from '../output.ts';

/** The number alone on its line, as the old helper prints it: scripts compare it. */
export function printVersion({ values: { verbose } }: Reading<'version'>): void {
  print(verbose ? `${version} (${target()}, ${runtime()})\n` : `${version}\n`);
}
