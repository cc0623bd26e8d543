import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readCarefully } from '../../src/cli/careful-path.ts';
import { readFast } from '../../src/cli/fast-path.ts';
import { commandNames } from '../../src/cli/options.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { commandLine } from '../support/command-lines.ts';

it.each(commandNames)('both readers read %s the same', async (name) => {
  let understood = 0;
  await fc.assert(
    fc.asyncProperty(commandLine(name), async (words) => {
      const fast = readFast(words);
      if (fast === undefined) {
        const error: unknown = await readCarefully(words).catch((error: unknown) => error);
        expect(error).toBeInstanceOf(RolesAnywhereError);
        expect(error).toHaveProperty('code', 'INVALID_ARGUMENT');
      } else {
        understood++;
        expect(await readCarefully(words)).toEqual(fast);
      }
    }),
    { numRuns: 300 },
  );
  // A generator that makes only nonsense would prove nothing. (The least is 42 on average, for "redshift exec".)
  expect(understood).toBeGreaterThan(10);
});
