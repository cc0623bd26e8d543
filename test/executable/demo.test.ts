import { dirname } from 'node:path';
import { expect, it } from 'vitest';

import { runProgram } from '../support/command.ts';
import { executableFile } from '../support/executable.ts';
import { requirePart } from '../support/system-parts.ts';

it('is shown by the demo', async () => {
  const words = ['scripts/demo.mjs', executableFile];
  const env = { PATH: `${dirname(requirePart('aws'))}:${process.env['PATH'] ?? ''}` };
  const { code, stdout, stderr } = await runProgram(process.execPath, words, { env, timeout: 60_000 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^command +rolesanywhere .*Bun/m);
  expect(stdout).toMatch(/^AWS CLI +sts get-caller-identity: arn:/m);
  expect(stdout).toMatch(/^done /m);
});
