import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { transform } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { run } from '../../support/command.ts';
import { commandFile } from '../../support/emulator-process.ts';

describe('the start', () => {
  it.each(['20.18.3', '18.20.0', '4.9.1'])('says on Node %s that a newer one is needed', async (node) => {
    const old = `Object.defineProperty(process, 'versions', { value: { node: '${node}' } })`;
    const env = { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(old)}"` };
    const { code, stdout, stderr } = await run(['version'], { env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: .*Node\.js 20\.19.*\n$/);
  });

  it('is written so that any Node can read it', async () => {
    const source = await readFile(commandFile, 'utf8');
    // esbuild refuses, or rewrites, whatever ECMAScript 5 does not know.
    const rewritten = await transform(source, { target: 'es5', format: 'cjs' });
    const untouched = await transform(source, { target: 'esnext', format: 'cjs' });
    expect(rewritten.code).toBe(untouched.code);
  });

  it('says when the package was not built', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere-unbuilt-'));
    try {
      const as = path.join(folder, 'rolesanywhere.cjs');
      await copyFile(commandFile, as);
      const { code, stdout, stderr } = await run(['version'], { as });
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^rolesanywhere: error: .*\nrolesanywhere: hint: .*npm/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
