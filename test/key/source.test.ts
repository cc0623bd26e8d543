import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { parseSource } from '../../src/key/reference.ts';
import { Sources } from '../../src/key/source.ts';
import type { Purpose, Source } from '../../src/key/source.ts';
import { expectCode } from '../support/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'source '));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const write = (name: string, content: string | Uint8Array, mode = 0o600): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};
const read = (text: string, purpose: Purpose = 'private key', sources = new Sources()): Promise<Source> =>
  sources.read(parseSource(text, '--option'), purpose);
const textOf = async (text: string): Promise<string> => Buffer.from((await read(text)).bytes).toString();

describe('where bytes come from', () => {
  it('a file, also through a link and with a space in its name', async () => {
    const path = write('a b.pem', 'hello');
    symlinkSync(path, join(directory, 'link'));
    expect(await textOf(path)).toBe('hello');
    expect(await textOf(join(directory, 'link'))).toBe('hello');
  });

  it('a variable, whose line ends may be written out', async () => {
    vi.stubEnv('TEST_KEY', 'a\\nb\nc');
    expect(await textOf('env:TEST_KEY')).toBe('a\nb\nc');
  });

  it('an open descriptor', async () => {
    const descriptor = openSync(write('descriptor', 'hello'), 'r');
    expect(await textOf(`fd:${descriptor}`)).toBe('hello');
    closeSync(descriptor);
  });

  it.each([
    ['waits for its writer', 'r+'],
    ['is in non-blocking mode', 'r+ non-blocking'],
  ])('a pipe that %s', async (_, mode) => {
    const path = join(directory, `pipe ${mode}`);
    execFileSync('mkfifo', [path]);
    // O_RDWR: the pipe has a writer from the start, and reading it does not end before that one closes.
    const writer = openSync(path, 'r+');
    const reader = openSync(path, mode === 'r+' ? 'r' : 0o4000);
    const reading = textOf(`fd:${reader}`);
    for (const part of ['he', 'l', 'lo']) {
      await sleep(20);
      writeSync(writer, part);
    }
    closeSync(writer);
    expect(await reading).toBe('hello');
    closeSync(reader);
  });

  it('is read once, whoever asks, and wiped at the end', async () => {
    const path = write('once', 'hello');
    const sources = new Sources();
    const first = await read(path, 'certificate', sources);
    writeFileSync(path, 'other');
    expect(await read(path, 'private key', sources)).toBe(first);
    sources[Symbol.dispose]();
    expect([...first.bytes]).toEqual([0, 0, 0, 0, 0]);
    expect(await textOf(path)).toBe('other');
  });
});

describe('what cannot be read', () => {
  const missing = join(directory, 'missing.pem');

  it.each([
    ['private key', 'KEY_UNREADABLE'],
    ['certificate', 'CERTIFICATE_UNREADABLE'],
    ['intermediates', 'CERTIFICATE_UNREADABLE'],
  ] as const)('a missing %s: %s', async (purpose, code) => {
    const error = await expectCode(() => read(missing, purpose), code);
    expect(error.message).toBe(`cannot read ${purpose} ${missing}: no such file`);
  });

  it.each([
    ['a directory', () => directory, 'directory'],
    ['a file taken for a directory', () => join(write('file', 'x'), 'y'), 'no such file'],
    [
      'a link to itself',
      () => {
        const path = join(directory, 'loop');
        symlinkSync(path, path);
        return path;
      },
      'circle',
    ],
    ['a name that is too long', () => join(directory, 'x'.repeat(300)), 'too long'],
    ['a NUL in the name', () => `${directory}\0`, 'ERR_INVALID_ARG_VALUE'],
    ['a descriptor that is not open', () => 'fd:999', 'not open'],
    ['a variable that is not set', () => 'env:TEST_MISSING', 'not set'],
  ])('%s', async (_, make, word) => {
    const text = make();
    const key = await expectCode(() => read(text), 'KEY_UNREADABLE');
    expect(key.message).toContain(word);
    await expectCode(() => read(text, 'certificate'), 'CERTIFICATE_UNREADABLE');
  });

  it.each([
    ['private key', 'KEY_UNREADABLE', '999< leaf.key'],
    ['certificate', 'CERTIFICATE_UNREADABLE', '999< leaf.pem'],
    ['intermediates', 'CERTIFICATE_UNREADABLE', '999< issuers.pem'],
  ] as const)('a descriptor that is not open: how to open it for the %s', async (purpose, code, hint) => {
    const error = await expectCode(() => read('fd:999', purpose), code);
    expect(error.hint).toContain(hint);
  });

  it('a file of another user', async () => {
    const path = write('forbidden', 'x', 0o000);
    // Root may read everything: be somebody else for a moment.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      const error = await expectCode(() => read(path), 'KEY_UNREADABLE');
      expect(error.message).toContain('permission denied');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('a variable that is empty', async () => {
    vi.stubEnv('TEST_KEY', '');
    await expectCode(() => read('env:TEST_KEY'), 'KEY_UNREADABLE');
  });

  it.each([
    ['an empty file', () => write('empty', ''), 'empty'],
    ['10 MB of zeros', () => write('zeros', Buffer.alloc(10_000_000)), '1 MiB'],
    ['a device without end', () => '/dev/zero', '1 MiB'],
    ['a device without anything', () => '/dev/null', 'empty'],
  ])('%s is invalid', async (_, make, word) => {
    const text = make();
    const error = await expectCode(() => read(text), 'KEY_INVALID');
    expect(error.message).toContain(word);
    await expectCode(() => read(text, 'intermediates'), 'CERTIFICATE_INVALID');
  });

  it('takes a whole mebibyte', async () => {
    expect((await read(write('mebibyte', Buffer.alloc(2 ** 20, 1)))).bytes).toHaveLength(2 ** 20);
    await expectCode(() => read(write('larger', Buffer.alloc(2 ** 20 + 1, 1))), 'KEY_INVALID');
  });
});

describe('a file that every user can read', () => {
  it.each([
    [0o600, false],
    [0o640, false],
    [0o660, false],
    [0o644, true],
    [0o604, true],
  ])('mode %o: %s', async (mode, exposed) => {
    expect((await read(write(`mode ${mode}`, 'x', mode))).exposed).toBe(exposed);
  });

  it("counts through a link of the user's own, but not as a secret that Kubernetes mounts", async () => {
    const path = write('world', 'x', 0o644);
    mkdirSync(join(directory, 'secret'));
    const link = join(directory, 'secret', 'tls.key');
    symlinkSync(path, link);
    const isRoot = process.getuid?.() === 0;
    expect((await read(link)).exposed).toBe(!isRoot);
  });
});
