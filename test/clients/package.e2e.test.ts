import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run } from '../support/command.ts';
import { commandWords, sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';

// What npm would publish, unpacked on its own: no dependency is installed beside it.
describe('the published package', () => {
  let directory: string;
  let packed: string;
  let files: string[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'package '));
    // Without scripts: the build is done already, and others are running it.
    const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
    const { stdout } = await promisify(execFile)('npm', words, { cwd: resolve('.') });
    const [report] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    files = report.files.map(({ path }) => path);
    await promisify(execFile)('tar', ['-xzf', report.filename], { cwd: directory });
    packed = join(directory, 'package');
  });

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('holds what is needed, and nothing of the workshop', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        ...['LICENSE', 'README.md', 'CHANGELOG.md', 'bin/rolesanywhere.js', 'bin/package.json'],
        ...['dist/rolesanywhere.cjs', 'dist/lib/index.js', 'dist/lib/index.d.ts', 'dist/vendor/LICENSES.txt'],
        ...['dist/lib/emulator/emulator.js', 'dist/lib/emulator/emulator.d.ts'],
      ]),
    );
    expect(
      files.filter((file) => /^(src|test|fixtures|scripts|bench)\/|\.(key|pem|tsbuildinfo)$/.test(file)),
    ).toEqual([]);
  });

  it('has no dead link in its pages', async () => {
    const pages = files.filter((file) => file.endsWith('.md'));
    expect(pages.length).toBeGreaterThan(10);
    for (const page of pages) {
      const text = await readFile(join(packed, page), 'utf8');
      for (const [, path = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
        expect(existsSync(join(packed, dirname(page), path)), `${path} in ${page}`).toBe(true);
      }
    }
  });

  it('has the command under both names, and no address of this machine in it', async () => {
    const { bin } = JSON.parse(await readFile(join(packed, 'package.json'), 'utf8')) as { bin: object };
    expect(bin).toEqual({
      rolesanywhere: 'bin/rolesanywhere.js',
      aws_signing_helper: 'bin/rolesanywhere.js',
    });
    for (const file of files.filter((name) => name.startsWith('dist/'))) {
      expect(await readFile(join(packed, file), 'utf8'), file).not.toContain(resolve('.'));
    }
  });

  it('opens a session, explains itself and runs the emulator', async () => {
    const as = join(packed, 'bin', 'rolesanywhere.js');
    expect(await run(['help'], { as })).toMatchObject({ code: 0, stderr: '' });
    const emulator = await startEmulatorProcess(['--pki', join(directory, 'pki')], commandWords(as));
    try {
      const { code, stdout } = await run(
        sessionWords(emulator, {
          certificate: join(directory, 'pki', 'leaf.pem'),
          key: join(directory, 'pki', 'leaf.key'),
        }),
        { as },
      );
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    } finally {
      await emulator.close();
    }
  });
});
