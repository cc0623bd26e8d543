import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../support/command.ts';
import { sessionWords, startEmulatorProcess } from '../../support/emulator-process.ts';
import type { EmulatorProcess } from '../../support/emulator-process.ts';

let folder = '';
let emulator: EmulatorProcess;
const file = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere loaded-'));
  emulator = await startEmulatorProcess(['--pki', folder]);
});

afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

/** Runs the command, and lists the files that it loaded and the runtime's own modules. */
async function loadedBy(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly files: string[]; readonly modules: string[] }> {
  const listing = file('loaded.txt');
  const hook = `import fs from 'node:fs'; import { createRequire } from 'node:module';
    process.on('exit', () => fs.writeFileSync(process.env.LISTING, JSON.stringify({
      files: Object.keys(createRequire('file:///x').cache), modules: process.moduleLoadList })))`;
  const NODE_OPTIONS = `--import "data:text/javascript,${encodeURIComponent(hook)}"`;
  expect((await run(words, { env: { ...env, NODE_OPTIONS, LISTING: listing } })).code).toBe(0);
  const { files, modules } = JSON.parse(await readFile(listing, 'utf8')) as Record<
    'files' | 'modules',
    string[]
  >;
  return { files: files.map((name) => path.basename(name)).sort(), modules };
}

describe('what a run loads', () => {
  const ours = ['rolesanywhere.cjs', 'rolesanywhere.js'];

  it.each<[string, () => string[], string[]]>([
    ['version', () => ['version'], ours],
    [
      'a session',
      () => sessionWords(emulator, { certificate: file('leaf.pem'), key: file('leaf.key') }),
      ['credential-process.cjs', ...ours],
    ],
    ['help, to prove that this sees it', () => ['help'], ['help.cjs', 'options.cjs', ...ours, 'yargs.cjs']],
  ])('%s', async (_, words, files) => {
    expect((await loadedBy(words())).files).toEqual(files);
  });

  it('a session from the cache: nothing that opens one', async () => {
    const words = [
      ...sessionWords(emulator, { certificate: file('leaf.pem'), key: file('leaf.key') }),
      '--cache',
    ];
    const env = { ROLESANYWHERE_CACHE_DIR: file('cache') };
    // The first one opens a session, to prove that this sees it.
    const network = ['NativeModule crypto', 'NativeModule http', 'NativeModule net'];
    expect((await loadedBy(words, env)).modules).toEqual(expect.arrayContaining(network));
    const { files, modules } = await loadedBy(words, env);
    expect(files).toEqual(ours);
    for (const name of network) expect(modules).not.toContain(name);
  });
});
