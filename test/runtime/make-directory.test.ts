import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeDirectory } from '../../src/runtime/make-directory.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rolesanywhere-directory-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

it('makes what is missing, for this user alone, and leaves what is there', () => {
  mkdirSync(join(folder, 'a'), { mode: 0o755 });
  makeDirectory(join(folder, 'a', 'b', 'c'));
  makeDirectory(join(folder, 'a', 'b', 'c'));
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o755);
  for (const name of ['a/b', 'a/b/c']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o700);
});

it('ends where no folder can be made', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(() => {
    makeDirectory(join(folder, 'file', 'a', 'b'));
  }).toThrow(/ENOTDIR/);
  if (process.platform === 'linux') {
    expect(() => {
      makeDirectory('/proc/rolesanywhere/a/b');
    }).toThrow(/ENOENT/);
  }
});
