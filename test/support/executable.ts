import { resolve } from 'node:path';
import { hostTarget } from '../../scripts/bun/runtime.mjs';

/** The standalone executable for this machine. */
export const executableFile = resolve('dist', `rolesanywhere-${hostTarget()}`);
