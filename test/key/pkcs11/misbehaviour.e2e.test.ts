import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { issue, makeAuthority } from '../../support/pki.ts';
import { buildWrapper, countCalls, makeSoftHsm, softHsmModule } from '../../support/softhsm.ts';
import type { SoftHsm, SoftToken } from '../../support/softhsm.ts';
import { failure, open, pinProvider, signsFor, takeNotes, waitUntil } from './rig.ts';

// What SoftHSM cannot do is done by pkcs11-wrapper.c.
const leaf = issue(makeAuthority());
const publicKey = leaf.keys.publicKey.export({ type: 'spki', format: 'der' });

let hsm: SoftHsm;
let token: SoftToken;
let library: string;
let log: string;

beforeAll(async () => {
  hsm = await makeSoftHsm();
  process.env['SOFTHSM2_CONF'] = hsm.env.SOFTHSM2_CONF;
  token = await hsm.makeToken('strange');
  await token.importPair(leaf, { id: '01', label: 'leaf' });
  library = await buildWrapper();
});
afterAll(() => hsm[Symbol.asyncDispose]());

beforeEach(async () => {
  log = join(hsm.directory, 'calls');
  await rm(log, { force: true });
  process.env['WRAPPER_MODULE'] = softHsmModule;
  process.env['WRAPPER_LOG'] = log;
});

const set = (name: string, value: string): void => {
  process.env[name] = value;
};
const calls = (): Promise<Readonly<Record<string, number>>> => countCalls(log);
const openIt = (options: Parameters<typeof open>[0] = {}) =>
  open({ certificate: token.uri(), library, ...options });
const neverAsked = () => Promise.reject(new Error('the PIN was asked for'));

describe('a reader with keys of its own (CKF_PROTECTED_AUTHENTICATION_PATH)', () => {
  beforeEach(() => {
    set('WRAPPER_SET_FLAGS', '100');
    set('WRAPPER_PAD_PIN', '1234');
  });

  it('gets a login without a PIN, and the user is told', async () => {
    const notes = takeNotes();
    const { signer } = await openIt({ pin: neverAsked, reporter: notes });
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(await calls()).toMatchObject({ 'C_Login reader': 1 });
    expect(notes.warnings).toEqual([expect.stringContaining('on the reader')]);
  });

  it('a wrong PIN typed there is not asked for again', async () => {
    set('WRAPPER_PAD_PIN', '9999');
    expect((await failure(openIt({ pin: neverAsked }))).code).toBe('PASSWORD_WRONG');
    expect(await calls()).toMatchObject({ 'C_Login reader': 1 });
  });
});

describe('a token that is about to lock', () => {
  it.each([
    ['CKF_USER_PIN_FINAL_TRY', '20000'],
    ['CKF_USER_PIN_LOCKED', '40000'],
  ])('%s: the last try is left to the user', async (_, flags) => {
    set('WRAPPER_SET_FLAGS', flags);
    const { code, message } = await failure(openIt({ pin: neverAsked }));
    expect(code).toBe('PIN_BLOCKED');
    expect(message).toContain('strange');
    expect(Object.keys(await calls()).filter((call) => call.startsWith('C_Login'))).toEqual([]);
  });
});

describe('a key that asks for the PIN at each signature (CKA_ALWAYS_AUTHENTICATE)', () => {
  beforeEach(() => {
    set('WRAPPER_ALWAYS_AUTH', '1');
  });

  it('with --reuse-pin gets the PIN of the login, and signs once', async () => {
    const { signer } = await openIt({
      certificate: `${token.uri()}?pin-value=1234`,
      pin: neverAsked,
      reusePin: true,
    });
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(await calls()).toMatchObject({ 'C_Login user': 1, 'C_Login signature': 1, C_Sign: 1 });
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(await calls()).toMatchObject({ 'C_Login user': 1, 'C_Login signature': 2, C_Sign: 2 });
  });

  it('without it, asks each time', async () => {
    const asked: string[] = [];
    const { signer } = await openIt({
      pin: (what) => {
        asked.push(what);
        return pinProvider('1234')();
      },
    });
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(asked).toHaveLength(3);
  });

  it('with nobody to ask says how', async () => {
    const { signer } = await openIt({ certificate: `${token.uri()}?pin-value=1234`, pin: undefined });
    const { code, hint } = await failure(signsFor(signer, publicKey));
    expect(code).toBe('PASSWORD_REQUIRED');
    expect(hint).toContain('--reuse-pin');
    expect(await calls()).not.toHaveProperty('C_Sign');
  });

  it('a wrong PIN ends that signature; the next one may have the right one', async () => {
    const { signer } = await openIt({ pin: pinProvider('1234', '9999', '1234', '1234') });
    expect((await failure(signsFor(signer, publicKey))).code).toBe('PASSWORD_WRONG');
    expect(await signsFor(signer, publicKey)).toBe(true);
  });

  it('on a reader with keys, it is typed there', async () => {
    set('WRAPPER_SET_FLAGS', '100');
    set('WRAPPER_PAD_PIN', '1234');
    const { signer } = await openIt({ pin: neverAsked });
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(await calls()).toMatchObject({ 'C_Login reader': 1, 'C_Login signature': 1, C_Sign: 1 });
  });
});

describe('a token that is taken out', () => {
  let away: string;
  beforeEach(async () => {
    away = join(hsm.directory, 'away');
    await rm(away, { force: true });
    set('WRAPPER_AWAY', away);
  });

  it('and put back is found again at the next signature, without another question', async () => {
    let asked = 0;
    const { signer } = await openIt({
      pin: () => {
        asked += 1;
        return pinProvider('1234')();
      },
    });
    expect(await signsFor(signer, publicKey)).toBe(true);

    await writeFile(away, '');
    expect((await failure(signsFor(signer, publicKey))).code).toBe('PKCS11_NOT_FOUND');
    expect((await failure(signsFor(signer, publicKey))).code).toBe('PKCS11_NOT_FOUND');

    await rm(away);
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(asked).toBe(1);
  });

  it('and put back between two signatures is found again within the second one', async () => {
    const replugged = join(hsm.directory, 'replugged');
    set('WRAPPER_REPLUGGED', replugged);
    const { signer } = await openIt();
    expect(await signsFor(signer, publicKey)).toBe(true);
    await writeFile(replugged, '');
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(await calls()).toMatchObject({ C_Initialize: 2, 'C_Login user': 2 });
  });

  it('whose PIN was changed meanwhile is not tried a second time', async () => {
    const { signer } = await openIt();
    expect(await signsFor(signer, publicKey)).toBe(true);
    await writeFile(away, '');
    await failure(signsFor(signer, publicKey));
    await rm(away);
    set('WRAPPER_OTHER_PIN', '1');
    await rm(log);
    expect((await failure(signsFor(signer, publicKey))).code).toBe('PASSWORD_WRONG');
    expect((await failure(signsFor(signer, publicKey))).code).toBe('PASSWORD_WRONG');
    expect(await calls()).toMatchObject({ 'C_Login user': 1 });
  });
});

describe('a module that', () => {
  it('crashes is named, with what it was doing; and the next signature starts it again', async () => {
    const { signer } = await openIt();
    expect(await signsFor(signer, publicKey)).toBe(true);
    await signer?.[Symbol.asyncDispose]();

    set('WRAPPER_CRASH', 'C_Sign');
    const { signer: crashing } = await openIt();
    const { code, message } = await failure(signsFor(crashing, publicKey));
    expect(code).toBe('PKCS11_FAILED');
    expect(message).toContain(library);
    expect(message).toContain('C_Sign');
    expect(message).toContain('SIGSEGV');
    set('WRAPPER_CRASH', '');
    expect(await signsFor(crashing, publicKey)).toBe(true);
  });

  it('crashes while nobody asks it is started again for the next signature', async () => {
    const { signer } = await openIt({ callTimeoutSeconds: 5 });
    const { stdout } = await promisify(execFile)('pgrep', ['-P', String(process.pid), '-f', 'pkcs11-host']);
    for (const child of stdout.trim().split('\n').map(Number)) {
      process.kill(child, 'SIGKILL');
      await waitUntil(() => Promise.resolve(!existsSync(`/proc/${child}`)));
    }
    expect(await signsFor(signer, publicKey)).toBe(true);
  });

  it('crashes at its start is named', async () => {
    set('WRAPPER_CRASH', 'C_Initialize');
    const { code, message } = await failure(openIt());
    expect(code).toBe('PKCS11_FAILED');
    expect(message).toContain('C_Initialize');
  });

  it.each(['C_Initialize', 'C_OpenSession', 'C_Sign'])('hangs in %s is named and ended', async (call) => {
    set('WRAPPER_HANG', call);
    const started = performance.now();
    const hanging = async (): Promise<void> => {
      const { signer } = await openIt({ callTimeoutSeconds: 1 });
      await signsFor(signer, publicKey);
    };
    const { code, message } = await failure(hanging());
    expect(code).toBe('PKCS11_FAILED');
    expect(message).toContain(library);
    expect(message).toContain(call);
    expect(performance.now() - started).toBeLessThan(8000);
  });

  it('hangs at its end does not keep us', async () => {
    set('WRAPPER_HANG', 'C_Finalize');
    const { signer } = await openIt();
    const started = performance.now();
    await signer?.[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it('hangs while signing does not keep a disposal', async () => {
    set('WRAPPER_HANG', 'C_Sign');
    const { signer } = await openIt();
    const signature = failure(signsFor(signer, publicKey));
    await waitUntil(async () => 'C_Sign' in (await calls()));
    const started = performance.now();
    await signer?.[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(4000);
    expect((await signature).code).toBe('PKCS11_FAILED');
  });

  it('hangs does not hold up our own event loop', async () => {
    set('WRAPPER_HANG', 'C_Sign');
    const { signer } = await openIt({ callTimeoutSeconds: 2 });
    const signature = failure(signsFor(signer, publicKey));
    let ticks = 0;
    const ticker = setInterval(() => {
      ticks += 1;
    }, 20);
    await signature;
    clearInterval(ticker);
    expect(ticks).toBeGreaterThan(40);
  });
});

describe('no PIN is ever reported', () => {
  const canary = '7351849206';

  it('in errors, warnings or debug lines, right or wrong', async () => {
    const notes = takeNotes();
    const texts: string[] = [];
    const attempts = [
      { certificate: `${token.uri()}?pin-value=${canary}` },
      { certificate: token.uri(), pin: pinProvider(canary) },
      { certificate: `${token.uri('object=nobody')}?pin-value=${canary}` },
      { certificate: `${token.uri()};slot-id=x?pin-value=${canary}` },
      { certificate: `${token.uri()};pin-value=${canary}` },
      { certificate: `${token.uri()}?pin-value=${canary}&pin-source=x` },
      { certificate: `${token.uri()}?pin-value=${canary}&pin-value=${canary}` },
      { certificate: `${token.uri()}?pin-value=${canary}%` },
      { certificate: `${token.uri()}?pin-source=|echo%20${canary}` },
    ];
    for (const options of attempts) {
      const error = await failure(openIt({ ...options, reporter: notes }));
      texts.push(`${error.message} ${error.hint ?? ''} ${String((error as unknown as Error).stack)}`);
    }
    expect([...texts, ...notes.lines, ...notes.warnings].join('\n')).not.toContain(canary);
    expect(readFileSync(log, 'utf8')).not.toContain(canary);
  });
});
