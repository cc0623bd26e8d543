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

describe('what a run loads', () => {
  const ours = ['rolesanywhere.cjs', 'rolesanywhere.js'];

  it.each<[string, () => string[], string[]]>([
    ['version', () => ['version'], ours],
    [
      'a session',
      () => sessionWords(emulator, { certificate: file('leaf.pem'), key: file('leaf.key') }),
      ['credential-process.cjs', ...ours],
    ],
    ['help, to prove that this sees it', () => ['help'], ['help.cjs', ...ours, 'yargs.cjs']],
  ])('%s', async (_, words, files) => {
    const listing = file('loaded.txt');
    const hook = `import fs from 'node:fs'; import { createRequire } from 'node:module';
      process.on('exit', () => fs.writeFileSync(process.env.LISTING,
        Object.keys(createRequire('file:///x').cache).join('\\n')))`;
    const NODE_OPTIONS = `--import "data:text/javascript,${encodeURIComponent(hook)}"`;
    expect((await run(words(), { env: { NODE_OPTIONS, LISTING: listing } })).code).toBe(0);
    const loaded = (await readFile(listing, 'utf8')).split('\n').map((name) => path.basename(name));
    expect(loaded.sort()).toEqual(files);
  });
});
