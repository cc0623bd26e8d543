// What every run of the command loads, for both of its builds (build.mjs, executable.mjs).
import { readFile } from 'node:fs/promises';
import ts from 'typescript';

export const main = 'src/cli/main.ts';

/** What it loads beside main.ts, a session out of the cache included. */
export const shared = [
  'src/errors.ts',
  'src/encoding/encoding-error.ts',
  'src/runtime/env.ts',
  'src/runtime/platform.ts',
  'src/runtime/version.ts',
  'src/cli/commands/version.ts',
  'src/cli/exit-codes.ts',
  'src/cli/fast-path.ts',
  'src/cli/output.ts',
  'src/cli/wants-cache.ts',
  'src/cli/commands/cached-credential-process.ts',
  'src/cli/session-shape.ts',
  'src/credentials/cache/directory.ts',
  'src/credentials/cache/entry.ts',
];

/** The table of options: here without its words, and once more with them for help, completion and mistakes. */
export const options = 'src/cli/options.ts';
export const table = [
  options,
  ...['daemons', 'redshift', 'session'].map((name) => `src/cli/table/${name}.ts`),
];

/**
 * A file of the table without what only people read, two thirds of it: the fast reading of a command line needs none.
 *
 * @returns what esbuild's onLoad takes
 */
export async function withoutWords(file) {
  const source = ts.createSourceFile(file, await readFile(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const words = ['description', 'examples', 'group', 'purpose', 'summary', 'value'];
  const visit = (node) =>
    ts.isPropertyAssignment(node) && words.includes(node.name.getText(source))
      ? undefined
      : ts.visitEachChild(node, visit, undefined);
  return { contents: ts.createPrinter().printFile(ts.visitNode(source, visit)), loader: 'ts' };
}
