// What the program declares of itself, for the pages that are made from it.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The source is TypeScript, which the oldest Node we run on cannot import. */
async function importSource(contents) {
  const stdin = { contents, resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'ts' };
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'esm', platform: 'node' });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

export const { commands, groups, exitCodes } = await importSource(
  "export { commands, groups } from './src/cli/options.ts'; export { exitCodes } from './src/cli/exit-codes.ts';",
);
