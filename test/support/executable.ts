import { resolve } from 'node:path';
import { hostTarget } from '../../scripts/bun/runtime.mjs';

/** The standalone executable for this machine. */
export const executableFile = resolve('dist', `rolesanywhere-${hostTarget()}`);

/** Whether it is what is tested: the project `exe` of vitest.config.ts. */
export const testsExecutable = process.env['ROLESANYWHERE_TEST_EXECUTABLE'] !== undefined;
