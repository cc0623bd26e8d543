import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { run, runProgram } from '../../support/command.ts';
import { commandFile, commandWords } from '../../support/emulator-process.ts';

const installed = path.dirname(path.dirname(commandFile));
const folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere code cache-'));
const inFolder = (...names: string[]): string => path.join(folder, ...names);
const sources = ['cache.cjs', 'credential-process.cjs', 'rolesanywhere.cjs', 'sessions.cjs'];
const source = inFolder('dist', 'rolesanywhere.cjs');
const { version } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8')) as {
  version: string;
};
const otherVersion = version.replace(/\d/g, '9');

const printsVersion = (env: Readonly<Record<string, string>> = {}) =>
  run(['version'], { as: inFolder('bin', 'rolesanywhere.js'), env });
const makeCache = () => run([], { as: inFolder('bin', 'code-cache.js') });

/** The entry for the source, in the one cache that there is. */
async function entry(): Promise<string> {
  const [cache = '', ...others] = await readdir(inFolder('dist', 'code-cache'));
  expect(others).toEqual([]);
  return inFolder('dist', 'code-cache', cache, 'rolesanywhere.cjs');
}

/** Makes the source, of the same length, print another version. */
async function changeSource(): Promise<void> {
  const text = await readFile(source, 'utf8');
  expect(text.split(`"${version}"`)).toHaveLength(2);
  await writeFile(source, text.replace(`"${version}"`, `"${otherVersion}"`));
}

/** A cache whose code is not what its source says: what runs, shows. */
async function makeLyingCache(): Promise<void> {
  const text = await readFile(source);
  await changeSource();
  expect(await makeCache()).toMatchObject({ code: 0, stderr: '' });
  await writeFile(source, text);
  const bytes = await readFile(await entry());
  await writeFile(await entry(), Buffer.concat([bytes.subarray(0, -text.length), text]));
}

beforeEach(async () => {
  await rm(inFolder('dist'), { recursive: true, force: true });
  await cp(path.join(installed, 'bin'), inFolder('bin'), { recursive: true });
  await cp(path.join(installed, 'dist'), inFolder('dist'), {
    recursive: true,
    filter: (file) => !/[\\/](?:code-cache|lib|npm|rolesanywhere-\w[^\\/]*)$/.test(file),
  });
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('the code cache', () => {
  it('is what runs', async () => {
    await makeLyingCache();
    expect(await printsVersion()).toMatchObject({ code: 0, stdout: `${otherVersion}\n`, stderr: '' });
  });

  it('is passed over where the source has changed since, if only by a byte', async () => {
    expect(await makeCache()).toMatchObject({ code: 0, stderr: '' });
    await changeSource();
    expect(await printsVersion()).toMatchObject({ code: 0, stdout: `${otherVersion}\n`, stderr: '' });
  });

  it("is passed over under other flags of V8's", async () => {
    await makeLyingCache();
    const { code, stdout } = await printsVersion({ NODE_OPTIONS: '--jitless' });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` });
  });

  it.each<[string, (file: string) => Promise<unknown>]>([
    ['cut short', async (file) => truncate(file, (await stat(file)).size - 1)],
    ['empty', truncate],
    ['missing', rm],
    // For root too, whom no mode keeps out.
    ['unreadable', (file) => rm(file).then(() => mkdir(file))],
  ])('may be %s', async (_, spoil) => {
    await makeLyingCache();
    await spoil(await entry());
    expect(await printsVersion()).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('may be made again, and leaves nothing else behind', async () => {
    expect(await makeCache()).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await makeCache()).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(path.basename(await entry())).toBe('rolesanywhere.cjs');
  });

  it('may be made by several at once', async () => {
    for (const outcome of await Promise.all(Array.from({ length: 8 }, makeCache))) {
      expect(outcome).toMatchObject({ code: 0, stdout: '', stderr: '' });
    }
    expect((await readdir(path.dirname(await entry()))).sort()).toEqual(sources);
  });

  it('is for all who may run the program, whatever the umask of who makes it', async () => {
    const words = ['-c', 'umask 077; exec "$0" "$@"', ...commandWords(inFolder('bin', 'code-cache.js'))];
    expect(await runProgram('sh', words)).toMatchObject({ code: 0, stderr: '' });
    const file = await entry();
    const made = await Promise.all(
      [file, path.dirname(file), inFolder('dist', 'code-cache')].map((one) => stat(one)),
    );
    expect(made.map(({ mode }) => mode & 0o777)).toEqual([0o644, 0o755, 0o755]);
  });

  it('is made whole or not at all, and in one line says why not', async () => {
    await rm(inFolder('dist', 'sessions.cjs'));
    const { code, stdout, stderr } = await makeCache();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: .*sessions\.cjs.*\n$/);
    expect(await readdir(inFolder('dist'))).not.toContain('code-cache');
  });

  it('has one instance of each file, cached or not', async () => {
    // The reader of mistyped lines is no part of the cache, and the error that it throws is.
    expect(await makeCache()).toMatchObject({ code: 0 });
    const { code, stderr } = await run(['credential-process', '--no-such-option'], {
      as: inFolder('bin', 'rolesanywhere.js'),
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^rolesanywhere: error: .*no-such-option/);
  });
});
