import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errnoOf, reasonOf } from '../../src/runtime/errno.ts';

const thrown = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

test.each<[string, () => unknown, string]>([
  ['ENOENT', () => readFileSync('/no/such/file'), 'no such file'],
  ['ENOTDIR', () => readFileSync('/dev/null/x'), 'no such file'],
  ['EISDIR', () => readFileSync('/'), 'directory'],
  [
    'ENOSPC',
    () => {
      writeFileSync('/dev/full', 'x');
    },
    'full',
  ],
  ['EBADF', () => readFileSync(999_999), 'not open'],
])('%s in words', (code, run, word) => {
  const error = thrown(run);
  expect(errnoOf(error)).toBe(code);
  expect(reasonOf(error)).toContain(word);
});

test('what has no words is told by its code, and what has no code is unknown', () => {
  const error = Object.assign(new Error('canary'), { code: 'EUNHEARDOF' });
  expect(reasonOf(error)).toBe('EUNHEARDOF');
  for (const other of [
    new Error('canary'),
    Object.assign(new Error('canary'), { code: 7 }),
    null,
    'canary',
  ]) {
    expect(errnoOf(other)).toBeUndefined();
    expect(reasonOf(other)).toBe('unknown error');
  }
});
