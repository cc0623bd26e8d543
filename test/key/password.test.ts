import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { RolesAnywhereError } from '../../src/errors.ts';
import { once, parsePasswordSource } from '../../src/key/password.ts';
import { readPassword } from '../../src/key/read-password.ts';
import { passwordRequired, unlock } from '../../src/key/unlock.ts';
import { silent } from '../../src/reporter.ts';
import { Secret } from '../../src/secret.ts';
import { expectCode } from '../support/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'password-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
const file = (contents: string | Uint8Array, mode = 0o600): string => {
  const path = join(directory, `${Math.random()}`);
  writeFileSync(path, contents, { mode });
  return path;
};

describe('parsePasswordSource', () => {
  it.each([
    ['stdin', { type: 'stdin' }],
    ['prompt', { type: 'prompt' }],
    ['fd:0', { type: 'stdin' }],
    ['fd:00', { type: 'stdin' }],
    ['fd:3', { type: 'descriptor', descriptor: 3 }],
    ['env:NAME', { type: 'environment', name: 'NAME' }],
    ['file:/etc/a b:c', { type: 'file', path: '/etc/a b:c' }],
  ])('reads %s', (text, source) => {
    expect(parsePasswordSource(text, '--x')).toEqual(source);
  });

  it.each([
    '',
    'hunter2',
    'pass:hunter2',
    'env:',
    'file:',
    'fd:',
    'fd:-1',
    'fd:hunter2',
    'fd:1e3',
    'STDIN',
    'stdin:',
    'prompt ',
    '-',
  ])('refuses %j, and does not repeat it', async (text) => {
    const error = await expectCode(() => parsePasswordSource(text, '--x'), 'INVALID_ARGUMENT');
    expect(`${error.message} ${error.hint ?? ''}`).not.toContain('hunter2');
  });
});

describe('readPassword', () => {
  const read = async (contents: string | Uint8Array): Promise<string> => {
    const password = await readPassword({ type: 'file', path: file(contents) }, silent);
    return Buffer.from(password.expose()).toString('latin1');
  };

  it.each([
    ['word', 'word'],
    ['word\n', 'word'],
    ['word\r\n', 'word'],
    ['word\n\n', 'word\n'],
    ['word\r', 'word\r'],
    [' word ', ' word '],
    ['two\nlines\n', 'two\nlines'],
    ['back\\nslash', 'back\\nslash'],
    ['\n', ''],
    ['', ''],
    [Buffer.from('fffe00', 'hex'), '\xff\xfe\0'],
  ])('cuts one line end of %j', async (contents, expected) => {
    expect(await read(contents)).toBe(expected);
  });

  it('reads a descriptor', async () => {
    const descriptor = openSync(file('from a descriptor\n'), 'r');
    const password = await readPassword({ type: 'descriptor', descriptor }, silent);
    expect(Buffer.from(password.expose()).toString()).toBe('from a descriptor');
  });

  it('reads a variable as it stands', async () => {
    vi.stubEnv('TEST_PASSWORD', 'a\\nb ü');
    const password = await readPassword({ type: 'environment', name: 'TEST_PASSWORD' }, silent);
    vi.unstubAllEnvs();
    expect(Buffer.from(password.expose()).toString()).toBe('a\\nb ü');
  });

  it('says what it cannot read', async () => {
    await expectCode(
      () => readPassword({ type: 'file', path: join(directory, 'absent') }, silent),
      'PASSWORD_UNREADABLE',
    );
    await expectCode(() => readPassword({ type: 'file', path: directory }, silent), 'PASSWORD_UNREADABLE');
    await expectCode(
      () => readPassword({ type: 'environment', name: 'TEST_ABSENT' }, silent),
      'PASSWORD_UNREADABLE',
    );
    await expectCode(
      () => readPassword({ type: 'descriptor', descriptor: 999 }, silent),
      'PASSWORD_UNREADABLE',
    );
  });

  it('says what to do about it in words of passwords', async () => {
    const absent = join(directory, 'absent');
    const error = await expectCode(
      () => readPassword({ type: 'file', path: absent }, silent),
      'PASSWORD_UNREADABLE',
    );
    expect(error.message).toContain(`password file ${absent}`);
    const closed = await expectCode(
      () => readPassword({ type: 'descriptor', descriptor: 999 }, silent),
      'PASSWORD_UNREADABLE',
    );
    expect(closed.hint).toContain('999< password');
  });

  it('warns of a file that everybody can read', async () => {
    const warn = vi.fn();
    await readPassword({ type: 'file', path: file('x', 0o644) }, { ...silent, warn });
    await readPassword({ type: 'file', path: file('x', 0o600) }, { ...silent, warn });
    expect(warn).toHaveBeenCalledOnce();
  });
});

describe('once', () => {
  const secret = new Secret<Uint8Array>(Buffer.from('x'));

  it('asks once, whoever asks and how often', async () => {
    const provider = vi.fn(() => Promise.resolve(secret));
    const asked = once(provider);
    expect(await Promise.all([asked('a', 'PIN'), asked('b')])).toEqual([secret, secret]);
    await asked('c');
    expect(provider.mock.calls).toEqual([['a', 'PIN']]);
  });

  it('asks again after a failure', async () => {
    const provider = vi.fn(() => Promise.resolve(secret)).mockRejectedValueOnce(new Error('no'));
    const asked = once(provider);
    await expect(asked('a')).rejects.toThrow('no');
    expect(await asked('a')).toBe(secret);
  });
});

describe('unlock', () => {
  const canary = 'canary-password';
  const keyPassword = () => Promise.resolve(new Secret<Uint8Array>(Buffer.from(canary)));

  it('says that a password is wrong, and never more', async () => {
    const error = await expectCode(
      () => unlock('private key x', keyPassword, () => Promise.resolve(undefined)),
      'PASSWORD_WRONG',
    );
    expect(error.message).toBe('the password of private key x is wrong');
    expect(error.cause).toBeUndefined();
    expect(inspect(error, { depth: 9 })).not.toContain(canary);
  });

  it('says that an empty password is one that is missing, unless it opens', async () => {
    const empty = () => Promise.resolve(new Secret(new Uint8Array()));
    await expectCode(() => unlock('x', empty, () => Promise.resolve(undefined)), 'PASSWORD_REQUIRED');
    expect(await unlock('x', empty, () => Promise.resolve('opened'))).toBe('opened');
  });

  it.each([
    ['password', 'encrypted'],
    ['TPM password', 'password'],
    ['PIN', 'PIN'],
  ] as const)('says what is missing: %s', (kind, word) => {
    const { message } = passwordRequired('handle:1', 'and so on', kind);
    expect(message).toContain(word);
    expect(message.includes('encrypted')).toBe(kind === 'password');
  });

  it('asks for what it needs', async () => {
    const error = await expectCode(
      () => unlock('private key x', undefined, () => Promise.resolve(1)),
      'PASSWORD_REQUIRED',
    );
    expect(error.hint).toContain('--key-password-from');
  });

  it('lets other failures through', async () => {
    const failure = new RolesAnywhereError('PASSWORD_UNREADABLE', 'no');
    await expect(
      unlock(
        'x',
        () => Promise.reject(failure),
        () => Promise.resolve(1),
      ),
    ).rejects.toBe(failure);
  });
});
