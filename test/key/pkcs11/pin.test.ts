import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../../src/errors.ts';
import type { PasswordProvider } from '../../../src/key/password.ts';
import { PinKeeper } from '../../../src/key/pkcs11/pin.ts';
import type { PinSources } from '../../../src/key/pkcs11/pin.ts';
import { parsePkcs11Uri } from '../../../src/key/pkcs11/uri.ts';
import { silent } from '../../../src/reporter.ts';
import { Secret } from '../../../src/secret.ts';
import { expectCode } from '../../support/errors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'a pin '));
  await writeFile(join(folder, 'pin'), '12 34\r\n', { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));

const keeper = (query: string, sources: Partial<PinSources> = {}) =>
  new PinKeeper({
    uris: [parsePkcs11Uri(`pkcs11:?${query}`)],
    provider: undefined,
    reuse: false,
    reporter: silent,
    ...sources,
  });
const login = { token: 'token "x"', purpose: 'login' } as const;
const signature = { token: 'token "x"', purpose: 'signature' } as const;
const provide =
  (...pins: string[]) =>
  () =>
    Promise.resolve(new Secret(Buffer.from(pins.shift() ?? 'none left')));

describe('pin-source', () => {
  it('is a path or a file: URI, one line end is cut', async () => {
    const path = join(folder, 'pin');
    for (const source of [path, pathToFileURL(path).href, `file:${path}`]) {
      const pin = await keeper(`pin-source=${encodeURIComponent(source)}`).answer(login);
      expect(pin.expose()).toBe('12 34');
    }
  });

  it.each([
    ['|echo 1234', 'INVALID_ARGUMENT'],
    ['https://example.com/pin', 'INVALID_ARGUMENT'],
    ['data:,1234', 'INVALID_ARGUMENT'],
    ['file://elsewhere/pin', 'INVALID_ARGUMENT'],
    ['/nonexistent/pin', 'PASSWORD_UNREADABLE'],
  ] as const)('%s', async (source, code) => {
    const error = await expectCode(
      () => keeper(`pin-source=${encodeURIComponent(source)}`).answer(login),
      code,
    );
    expect(error.message).not.toContain('1234');
  });

  it('is read as a password file is: not without end, and with a warning when every user can', async () => {
    await expectCode(() => keeper('pin-source=/dev/zero').answer(login), 'PASSWORD_UNREADABLE');
    const path = join(folder, 'shown');
    await writeFile(path, '1234');
    await chmod(path, 0o644);
    const warnings: string[] = [];
    const reporter = { ...silent, warn: (text: string) => warnings.push(text) };
    await keeper(`pin-source=${encodeURIComponent(path)}`, { reporter }).answer(login);
    expect(warnings).toEqual([expect.stringContaining(path)]);
  });
});

describe('the PIN', () => {
  it('comes from the URI before anybody is asked, and of two URIs from the first', async () => {
    const uris = ['', 'pin-value=first', 'pin-value=second'].map((query) =>
      parsePkcs11Uri(`pkcs11:?${query}`),
    );
    const pin = await keeper('', { uris, provider: provide('asked') }).answer(login);
    expect(pin.expose()).toBe('first');
  });

  it('of a login is asked for once, that of signatures each time', async () => {
    const pins = keeper('', { provider: provide('a', 'b', 'c', 'd') });
    const answers = [login, login, signature, signature].map((question) => () => pins.answer(question));
    const given: string[] = [];
    for (const answer of answers) given.push((await answer()).expose());
    expect(given).toEqual(['a', 'a', 'b', 'c']);
  });

  it('with --reuse-pin is one for both', async () => {
    const pins = keeper('pin-value=a', { reuse: true });
    expect((await pins.answer(signature)).expose()).toBe('a');
  });

  it('that was wrong is not offered a second time, another one is', async () => {
    const wrong = new RolesAnywhereError('PASSWORD_WRONG', 'wrong PIN');
    const fixed = keeper('pin-value=a');
    await fixed.answer(login);
    fixed.refused(wrong);
    await expectCode(() => fixed.answer(login), 'PASSWORD_WRONG');
    await expectCode(() => fixed.answer(login), 'PASSWORD_WRONG');

    const typed = keeper('', { provider: provide('a', 'b') });
    await typed.answer(login);
    typed.refused(wrong);
    expect((await typed.answer(login)).expose()).toBe('b');
  });

  it('that is empty is never offered: it would cost a try', async () => {
    const path = join(folder, 'empty');
    await writeFile(path, '\n', { mode: 0o600 });
    for (const query of ['pin-value=', `pin-source=${encodeURIComponent(path)}`]) {
      await expectCode(() => keeper(query).answer(login), 'PASSWORD_REQUIRED');
      await expectCode(() => keeper(query, { reuse: true }).answer(signature), 'PASSWORD_REQUIRED');
    }
    const typed = keeper('', { provider: provide('', '', '1234') });
    await expectCode(() => typed.answer(login), 'PASSWORD_REQUIRED');
    await expectCode(() => typed.answer(signature), 'PASSWORD_REQUIRED');
    expect((await typed.answer(login)).expose()).toBe('1234');
  });

  it('is asked for as a PIN', async () => {
    const kinds: unknown[] = [];
    const provider: PasswordProvider = (_, kind) => {
      kinds.push(kind);
      return Promise.resolve(new Secret(Buffer.from('1234')));
    };
    await keeper('', { provider }).answer(login);
    expect(kinds).toEqual(['PIN']);
  });

  it('that nobody knows is an error at once', async () => {
    await expectCode(() => keeper('').answer(login), 'PASSWORD_REQUIRED');
    const error = await expectCode(() => keeper('pin-value=a').answer(signature), 'PASSWORD_REQUIRED');
    expect(error.hint).toContain('--reuse-pin');
  });
});
