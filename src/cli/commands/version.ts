import { version } from '../../runtime/version.ts';
import { print } from '../output.ts';

/** The number alone on its line, as the old helper prints it: scripts compare it. */
export function printVersion(): void {
  print(`${version}\n`);
}
