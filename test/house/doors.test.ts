import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';

// The project's own configuration, without the rules that need the file to exist in a TypeScript project.
const eslint = new ESLint({
  overrideConfig: [{ files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked }],
});

const rulesBrokenBy = async (text: string, filePath: string): Promise<(string | null)[]> => {
  const [result] = await eslint.lintText(`${text}\n`, { filePath });
  return result?.messages.map(({ ruleId }) => ruleId) ?? [];
};

describe('process and console stay behind their doors', () => {
  it.each([
    ['process.env["HOME"];', 'src/aws/planted.ts', 'no-restricted-globals'],
    ['console.log(1);', 'src/aws/planted.ts', 'no-restricted-globals'],
    ['globalThis.process;', 'src/key/file/planted.ts', 'no-restricted-properties'],
    ['global.console;', 'src/emulator/planted.ts', 'no-restricted-properties'],
    ['process.exit(1);', 'src/index.ts', 'no-restricted-globals'],
    ['console.error(1);', 'src/runtime/planted.ts', 'no-restricted-globals'],
  ])('%s in %s breaks %s', async (text, file, rule) => {
    expect(await rulesBrokenBy(text, file)).toContain(rule);
  });

  it.each([
    ['process.exitCode = 1;', 'src/runtime/planted.ts'],
    ['console.log(process.argv);', 'src/cli/commands/planted.ts'],
    ['export const result = { process: 1 }.process;', 'src/aws/planted.ts'],
  ])('%s in %s is fine', async (text, file) => {
    expect(await rulesBrokenBy(text, file)).toEqual([]);
  });
});
