import { verify } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  derBytes,
  derElement,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../../src/encoding/der.ts';
import { RolesAnywhereError } from '../../../src/errors.ts';
import type { PasswordProvider } from '../../../src/key/password.ts';
import { openTpmSigner } from '../../../src/key/tpm/open.ts';
import type { TpmSignerOptions } from '../../../src/key/tpm/open.ts';
import type { Signer } from '../../../src/key/signer.ts';
import { Secret } from '../../../src/secret.ts';
import {
  exemptArea,
  parentHandle,
  persistentHandle,
  privatePart,
  restrictedArea,
  signingArea,
  signingKey,
  startFakeTpm,
} from './support/fake-tpm.ts';
import type { CommandName, FakeTpm, FakeTpmOptions } from './support/fake-tpm.ts';
import { response } from './support/tpm-server.ts';

const message = Buffer.from('the string to sign');
const password = 'a canary that must not be seen';
const owner = 0x40000001;

const sized = (bytes: Uint8Array): Buffer => {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
};

const keyFile = (parent: number, hasEmptyAuth: boolean) => ({
  name: 'tpm.pem',
  bytes: derBytes(
    derSequence(
      derObjectIdentifier('2.23.133.10.1.3'),
      derElement(0xa0, derElement(0x01, [Buffer.of(hasEmptyAuth ? 0xff : 0)])),
      derInteger(BigInt(parent)),
      derOctetString([sized(signingArea)]),
      derOctetString([sized(privatePart)]),
    ),
  ),
});

const from = (text: string) => () => Promise.resolve(new Secret(Buffer.from(text)));

const start = async (options: FakeTpmOptions = {}): Promise<FakeTpm> => {
  const tpm = await startFakeTpm(options);
  onTestFinished(() => tpm[Symbol.asyncDispose]());
  return tpm;
};

const open = (tpm: FakeTpm, options: Partial<TpmSignerOptions> = {}): Promise<Signer> =>
  openTpmSigner({ key: { handle: persistentHandle }, device: tpm.socket, timeoutSeconds: 10, ...options });

const codeOf = async (work: Promise<unknown>): Promise<unknown> => {
  const error = await work.then(
    () => 'nothing thrown',
    (reason: unknown) => reason,
  );
  if (!(error instanceof RolesAnywhereError)) return error;
  for (const text of [error.message, error.hint ?? 'none']) expect(text).toMatch(/^[^A-Z\n][^\n]*[^.\n]$/);
  return error.code;
};

/** Answers the first so many of a command with this response code. */
const failing = (name: CommandName, code: number, times: number): NonNullable<FakeTpmOptions['fault']> => {
  let left = times;
  return (command) => (command === name && left-- > 0 ? response(code) : undefined);
};

const count = (tpm: FakeTpm, name: CommandName): number =>
  tpm.commands.filter((command) => command === name).length;

describe('a signing', () => {
  it.each([
    ['a persistent key', { key: { handle: persistentHandle } }],
    ['a key below the owner', { key: keyFile(owner, true) }],
    ['a key below the null hierarchy', { key: keyFile(0x40000007, true) }],
    ['a key below a persistent key', { key: keyFile(parentHandle, true) }],
  ])('verifies, and leaves nothing behind: %s', async (_, options) => {
    const tpm = await start();
    await using signer = await open(tpm, options);
    expect(signer.keyType).toBe('rsa');
    expect(signer.publicKey).toEqual(signingKey.publicKey.export({ format: 'der', type: 'spki' }));
    expect(verify('sha256', message, signingKey.publicKey, await signer.sign(message))).toBe(true);
    expect([...tpm.loaded]).toEqual([]);
    expect(tpm.commands).not.toContain('startAuthSession');
  });

  it('keeps one connection for all of its commands, so that no other program comes in between', async () => {
    const tpm = await start({ password });
    await using signer = await open(tpm, { key: keyFile(owner, false), password: from(password) });
    await signer.sign(message);
    expect(tpm.commands.length).toBeGreaterThan(5);
    expect(new Set(tpm.connections).size).toBe(1);
    await signer.sign(message);
    expect(new Set(tpm.connections).size).toBe(2);
  });

  it('tells its steps, and no secret', async () => {
    const tpm = await start({ password });
    const steps: string[] = [];
    const reporter = { warn: () => undefined, debug: (text: string) => steps.push(text) };
    await using signer = await open(tpm, { key: keyFile(owner, false), password: from(password), reporter });
    await signer.sign(message);
    expect(steps.join('\n')).toMatch(/TPM2_Sign took \d+ ms/);
    expect(steps.join('\n')).not.toContain(password);
  });

  it('reaches a simulator by host:port too', async () => {
    const tpm = await start();
    await using signer = await open(tpm, { device: tpm.address });
    await expect(signer.sign(message)).resolves.toHaveLength(256);
  });

  it('hashes in the TPM for a restricted key, which wants a ticket', async () => {
    const tpm = await start({ area: restrictedArea });
    await using signer = await open(tpm);
    expect(verify('sha256', message, signingKey.publicKey, await signer.sign(message))).toBe(true);
    expect(await codeOf(signer.sign(message, 'SHA384'))).toBe('KEY_UNSUPPORTED');
  });

  it('does not touch the TPM to open a key file', async () => {
    const signer = await openTpmSigner({ key: keyFile(owner, true), device: '/nowhere' });
    expect(await codeOf(signer.sign(message))).toBe('SIGNING_FAILED');
  });

  it('refuses a signature that does not verify', async () => {
    const tpm = await start({
      fault: (command, _bytes, handled) => {
        if (command !== 'sign') return undefined;
        const answer = handled();
        answer.writeUInt8(answer.readUInt8(100) ^ 1, 100);
        return answer;
      },
    });
    await using signer = await open(tpm);
    expect(await codeOf(signer.sign(message))).toBe('SIGNING_FAILED');
  });

  it('comes one after the other on one signer', async () => {
    const tpm = await start({ password });
    await using signer = await open(tpm, { password: from(password) });
    const signatures = await Promise.all([1, 2, 3].map(() => signer.sign(message)));
    for (const signature of signatures) {
      expect(verify('sha256', message, signingKey.publicKey, signature)).toBe(true);
    }
    const one = ['createPrimary', 'startAuthSession', 'flushContext', 'sign', 'flushContext'];
    expect(tpm.commands).toEqual(['readPublic', ...one, ...one, ...one]);
  });

  it('goes on after one that failed', async () => {
    const tpm = await start({ fault: failing('sign', 0x101, 1) });
    await using signer = await open(tpm);
    const [first, second] = await Promise.allSettled([signer.sign(message), signer.sign(message)]);
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled']);
  });
});

describe('passwords', () => {
  it.each([
    ['a persistent key', { key: { handle: persistentHandle } }],
    ['a key below the owner', { key: keyFile(owner, false), parentPassword: from('the owner’s') }],
    [
      'a key below a persistent key',
      { key: keyFile(parentHandle, false), parentPassword: from('the owner’s') },
    ],
  ])('of key and parent never cross the bus: %s', async (_, options) => {
    const tpm = await start({ password, parentPassword: 'the owner’s' });
    await using signer = await open(tpm, { password: from(password), ...options });
    await expect(signer.sign(message)).resolves.toHaveLength(256);
    expect([...tpm.loaded]).toEqual([]);
    const heard = Buffer.concat(tpm.bus);
    for (const secret of [password, 'the owner’s']) expect(heard.includes(secret)).toBe(false);
    expect(tpm.commands).toContain('startAuthSession');
  });

  it('lose their trailing zero bytes, as in the TPM', async () => {
    const tpm = await start({ password });
    await using signer = await open(tpm, { password: from(`${password}\0\0`) });
    await expect(signer.sign(message)).resolves.toHaveLength(256);
  });

  it('are tried once when they are wrong (dictionary attack lock-out)', async () => {
    const tpm = await start({ password });
    await using signer = await open(tpm, { password: from('another') });
    expect(await codeOf(signer.sign(message))).toBe('PASSWORD_WRONG');
    expect(await codeOf(signer.sign(message))).toBe('PASSWORD_WRONG');
    expect(count(tpm, 'sign')).toBe(1);
    expect([...tpm.loaded]).toEqual([]);
  });

  it.each([owner, parentHandle])('of the parent 0x%s are told from those of the key', async (parent) => {
    const tpm = await start({ parentPassword: 'right' });
    const wrong = await open(tpm, { key: keyFile(parent, true), parentPassword: from('wrong') });
    const error = await wrong.sign(message).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'PASSWORD_WRONG',
      message: expect.stringContaining('parent') as string,
    });
    const none = await open(tpm, { key: keyFile(parent, true) });
    expect(await codeOf(none.sign(message))).toBe('PASSWORD_REQUIRED');
    expect([...tpm.loaded]).toEqual([]);
  });

  it('are asked for where none was given: by the file at once, by a handle after one try', async () => {
    const tpm = await start({ password });
    expect(await codeOf(open(tpm, { key: keyFile(owner, false) }))).toBe('PASSWORD_REQUIRED');
    expect(tpm.commands).toEqual([]);
    await using signer = await open(tpm);
    expect(await codeOf(signer.sign(message))).toBe('PASSWORD_REQUIRED');
    expect(await codeOf(signer.sign(message))).toBe('PASSWORD_REQUIRED');
    expect(count(tpm, 'sign')).toBe(1);
  });

  it('are used when they are given, whatever the file says (tpm2_encodeobject writes emptyAuth the wrong way round)', async () => {
    const locked = await start({ password });
    await using inverted = await open(locked, { key: keyFile(owner, true), password: from(password) });
    await expect(inverted.sign(message)).resolves.toHaveLength(256);
    const unlocked = await start();
    await using empty = await open(unlocked, { key: keyFile(owner, false), password: from('') });
    await expect(empty.sign(message)).resolves.toHaveLength(256);
    await using needless = await open(unlocked, { key: keyFile(owner, true), password: from(password) });
    expect(await codeOf(needless.sign(message))).toBe('PASSWORD_WRONG');
  });

  describe('of a person who is there just in case', () => {
    /** Undefined: there is no terminal. */
    const person = (text: string | undefined) => {
      const asked: string[] = [];
      const answer: PasswordProvider = (what, kind) => {
        expect(kind).toBe('TPM password');
        asked.push(what);
        return text === undefined
          ? Promise.reject(new RolesAnywhereError('PASSWORD_REQUIRED', 'there is no terminal'))
          : Promise.resolve(new Secret(Buffer.from(text)));
      };
      return { asked, password: Object.assign(answer, { isLastResort: true }) };
    };

    it('are not asked for where the empty one does, and costs no try: by the file, or by noDA', async () => {
      const { asked, password: provider } = person('x');
      for (const [key, area] of [
        [keyFile(owner, true), signingArea],
        [{ handle: persistentHandle }, exemptArea],
      ] as const) {
        const tpm = await start({ area });
        await using signer = await open(tpm, { key, password: provider });
        await expect(signer.sign(message)).resolves.toHaveLength(256);
      }
      expect(asked).toEqual([]);
    });

    it('are asked for first where the empty one may cost a try; Enter says that there is none', async () => {
      for (const text of [password, '']) {
        const tpm = await start({ password: text, triesLeft: 1 });
        const { asked, password: provider } = person(text);
        await using signer = await open(tpm, { password: provider });
        await expect(signer.sign(message)).resolves.toHaveLength(256);
        await expect(signer.sign(message)).resolves.toHaveLength(256);
        expect(new Set(asked)).toEqual(new Set(['the TPM key handle:0x81000101']));
        expect(count(tpm, 'sign')).toBe(2);
      }
    });

    it.each([
      ['nobody can be asked', () => person(undefined).password],
      ['there is nothing to ask', () => undefined],
    ])('are guessed to be empty when %s, but for the last try before the lock-out', async (_, provider) => {
      const tpm = await start({ triesLeft: 2 });
      await using signer = await open(tpm, { password: provider() });
      await expect(signer.sign(message)).resolves.toHaveLength(256);
      const locked = await start({ password, triesLeft: 2 });
      await using refused = await open(locked, { password: provider() });
      expect(await codeOf(refused.sign(message))).toBe('PASSWORD_REQUIRED');
      expect(await codeOf(refused.sign(message))).toBe('PASSWORD_REQUIRED');
      expect(count(locked, 'sign')).toBe(1);
      const last = await start({ triesLeft: 1 });
      await using careful = await open(last, { password: provider() });
      expect(await codeOf(careful.sign(message))).toBe('PASSWORD_REQUIRED');
      expect(count(last, 'sign')).toBe(0);
      // Nothing to spare any more: the TPM has its own words for that.
      const over = await start({ triesLeft: 0, fault: failing('sign', 0x921, 1) });
      await using late = await open(over, { password: provider() });
      expect(await codeOf(late.sign(message))).toBe('SIGNING_FAILED');
    });

    it('that say that there is none are believed for the last try too', async () => {
      const tpm = await start({ triesLeft: 1 });
      await using signer = await open(tpm, { password: from('') });
      await expect(signer.sign(message)).resolves.toHaveLength(256);
    });

    it('are asked for at once where the file says that there is one', async () => {
      const tpm = await start({ password });
      const { asked, password: provider } = person(password);
      await using signer = await open(tpm, { key: keyFile(owner, false), password: provider });
      await expect(signer.sign(message)).resolves.toHaveLength(256);
      expect(asked).toEqual(['the TPM key tpm.pem']);
      expect(count(tpm, 'sign')).toBe(1);
    });

    it('are asked for after the TPM refused the empty one, and it is not tried again', async () => {
      const { password: provider } = person(password);
      for (const [key, area] of [
        [keyFile(owner, true), signingArea],
        [{ handle: persistentHandle }, exemptArea],
      ] as const) {
        const tpm = await start({ password, area });
        await using signer = await open(tpm, { key, password: provider });
        const before = count(tpm, 'sign');
        await expect(signer.sign(message)).resolves.toHaveLength(256);
        await expect(signer.sign(message)).resolves.toHaveLength(256);
        expect(count(tpm, 'sign') - before).toBe(3);
      }
    });

    it('are tried once when they are wrong', async () => {
      const tpm = await start({ password });
      await using signer = await open(tpm, { password: person('wrong').password });
      expect(await codeOf(signer.sign(message))).toBe('PASSWORD_WRONG');
      expect(await codeOf(signer.sign(message))).toBe('PASSWORD_WRONG');
      expect(count(tpm, 'sign')).toBe(1);
    });
  });

  it('are left as they were: their owner may need them again', async () => {
    const tpm = await start({ password });
    const secret = Buffer.from(password);
    await using signer = await open(tpm, { password: () => Promise.resolve(new Secret(secret)) });
    await signer.sign(message);
    expect(secret.toString()).toBe(password);
  });

  it.each([
    // TPM_RC_CURVE, parameter 2; TPM_RC_SYMMETRIC, parameter 4
    ['knows no elliptic curve to salt with', failing('createPrimary', 0x2e6, 1)],
    ['does not encrypt parameters', failing('startAuthSession', 0x4d6, 1)],
  ])('still do not cross the bus where the TPM %s, and a warning says so', async (_, fault) => {
    const tpm = await start({ password, fault });
    const warnings: string[] = [];
    const reporter = { warn: (text: string) => warnings.push(text), debug: () => undefined };
    await using signer = await open(tpm, { password: from(password), reporter });
    await expect(signer.sign(message)).resolves.toHaveLength(256);
    expect(Buffer.concat(tpm.bus).includes(password)).toBe(false);
    expect(warnings).toHaveLength(1);
    expect([...tpm.loaded]).toEqual([]);
  });

  it('protect the answers: any changed byte is noticed', async () => {
    let position = 0;
    const tpm = await start({
      password,
      fault: (command, _bytes, handled) => {
        if (command !== 'sign') return undefined;
        const answer = handled();
        answer.writeUInt8(answer.readUInt8(position) ^ 1, position);
        return answer;
      },
    });
    // Every part of it: parameter size, scheme, signature, nonce, attributes, HMAC.
    for (position of [13, 15, 17, 19, 20, 150, 275, 276, 278, 300, 310, 311, 313, 330, 344]) {
      const signer = await open(tpm, { password: from(password), timeoutSeconds: 10 });
      expect(await codeOf(signer.sign(message)), `byte ${position}`).toBe('SIGNING_FAILED');
      await signer[Symbol.asyncDispose]();
    }
  });
});

describe('a TPM that cannot do it now', () => {
  it.each([
    ['TPM_RC_RETRY', 0x922],
    ['TPM_RC_TESTING', 0x90a],
    ['TPM_RC_YIELDED', 0x908],
    ['TPM_RC_NV_RATE', 0x920],
  ])('is asked again with the same bytes: %s', async (_, code) => {
    for (const name of ['createPrimary', 'startAuthSession', 'load', 'sign', 'flushContext'] as const) {
      const tpm = await start({ password, fault: failing(name, code, 3) });
      await using signer = await open(tpm, { key: keyFile(owner, false), password: from(password) });
      await expect(signer.sign(message)).resolves.toHaveLength(256);
      const sent = tpm.bus.filter((bytes, index) => index > 0 && bytes.equals(tpm.bus[index - 2] ?? bytes));
      expect(sent.length).toBeGreaterThanOrEqual(3);
      expect([...tpm.loaded]).toEqual([]);
    }
  });

  it.each([
    ['TPM_RC_OBJECT_MEMORY', 0x902, 'load'],
    ['TPM_RC_OBJECT_HANDLES', 0x906, 'load'],
    ['TPM_RC_SESSION_MEMORY', 0x903, 'startAuthSession'],
    ['TPM_RC_MEMORY', 0x904, 'sign'],
  ] as const)('is let go of and tried anew: %s', async (_, code, name) => {
    const tpm = await start({ password, fault: failing(name, code, 2) });
    await using signer = await open(tpm, { key: keyFile(owner, false), password: from(password) });
    await expect(signer.sign(message)).resolves.toHaveLength(256);
    expect(count(tpm, name)).toBe(3);
    // All that was loaded before is flushed before the next try.
    const [first = 0, second = 0] = tpm.commands.flatMap((command, index) =>
      command === name ? [index] : [],
    );
    expect(tpm.commands.slice(first, second)).toContain('flushContext');
    expect([...tpm.loaded]).toEqual([]);
  });

  it('ends at the timeout when it goes on', async () => {
    for (const code of [0x922, 0x902]) {
      const tpm = await start({ fault: failing('sign', code, Infinity) });
      await using signer = await open(tpm, { key: keyFile(owner, true), timeoutSeconds: 1 });
      const error = await signer.sign(message).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'SIGNING_FAILED' });
      expect((error as Error).message).toContain('TPM_RC_');
      expect([...tpm.loaded]).toEqual([]);
    }
  });

  it('says so in its dictionary attack lock-out, with the cure', async () => {
    const tpm = await start({ fault: failing('sign', 0x921, 1) });
    await using signer = await open(tpm);
    const error = await signer.sign(message).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'SIGNING_FAILED',
      message: expect.stringContaining('TPM_RC_LOCKOUT') as string,
      hint: expect.stringContaining('tpm2_dictionarylockout') as string,
    });
    // It may have ended since.
    await expect(signer.sign(message)).resolves.toHaveLength(256);
  });
});

describe('whatever happens, nothing stays loaded', () => {
  const names: CommandName[] = ['createPrimary', 'startAuthSession', 'load', 'sign'];

  it.each(names)('when %s is refused', async (name) => {
    // Some of the commands come twice: the first and the second time.
    for (const skip of [0, 1]) {
      let seen = 0;
      const tpm = await start({
        password,
        fault: (command) => (command === name && seen++ >= skip ? response(0x101) : undefined),
      });
      await using signer = await open(tpm, {
        key: keyFile(owner, false),
        password: from(password),
        parentPassword: from(''),
      });
      await signer.sign(message).catch(() => undefined);
      expect([...tpm.loaded]).toEqual([]);
    }
  });

  it.each(names)('when the answer to %s is cut short', async (name) => {
    const tpm = await start({
      password,
      fault: (command, _bytes, handled) => {
        if (command !== name) return undefined;
        const answer = handled().subarray(0, -1);
        answer.writeUInt32BE(answer.length, 2);
        return answer;
      },
    });
    await using signer = await open(tpm, { key: keyFile(owner, false), password: from(password) });
    expect(await codeOf(signer.sign(message))).toBe('SIGNING_FAILED');
    expect([...tpm.loaded]).toEqual([]);
  });

  it.each(names)('when the signer is closed during %s', async (name) => {
    const opened: Signer[] = [];
    const tpm = await start({
      password,
      fault: async (command) => {
        if (command !== name) return undefined;
        void opened[0]?.[Symbol.asyncDispose]();
        await new Promise((resolve) => setTimeout(resolve, 20));
        return undefined;
      },
    });
    const signer = await open(tpm, { key: keyFile(owner, false), password: from(password) });
    opened.push(signer);
    const outcome = await codeOf(signer.sign(message));
    expect(outcome).toBe(name === 'sign' ? 'nothing thrown' : 'SIGNING_FAILED');
    await signer[Symbol.asyncDispose]();
    expect([...tpm.loaded]).toEqual([]);
    expect(await codeOf(signer.sign(message))).toBe('SIGNING_FAILED');
  });

  it('when the caller aborts', async () => {
    const abort = new AbortController();
    const tpm = await start({
      fault: (command) => {
        if (command === 'load') abort.abort();
        return undefined;
      },
    });
    await using signer = await open(tpm, { key: keyFile(owner, true), signal: abort.signal });
    expect(await codeOf(signer.sign(message))).toBe('SIGNING_FAILED');
    expect([...tpm.loaded]).toEqual([]);
    expect(count(tpm, 'sign')).toBe(0);
  });
});

describe('what is no answer', () => {
  it.each([
    ['silence', 'silence'],
    ['a closed connection', 'hang up'],
    ['text', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['zeros', Buffer.alloc(64)],
    ['a header that promises gigabytes', Buffer.from('8001ffffffff00000000', 'hex')],
    ['a header that promises too little', Buffer.from('80010000000100000000', 'hex')],
    ['half a header', Buffer.from('8001000000', 'hex')],
    ['less than promised', Buffer.from('8001000000200000000000', 'hex')],
    ['more than promised', Buffer.concat([response(0), Buffer.alloc(5)])],
    ['an empty body', response(0)],
    ['a TPM 1.2', response(0x1e, Buffer.alloc(0), 0x00c4)],
  ] as const)('is a clear error within the timeout: %s', async (_, reaction) => {
    const tpm = await start({ fault: (command) => (command === 'readPublic' ? reaction : undefined) });
    const started = Date.now();
    expect(await codeOf(open(tpm, { timeoutSeconds: 0.3 }))).toBe('KEY_UNREADABLE');
    expect(Date.now() - started).toBeLessThan(3000);
  });

  it('is a clear error from the first command of a connection on', async () => {
    for (const reaction of ['silence', 'hang up', Buffer.alloc(64)] as const) {
      const tpm = await start({ fault: (command) => (command === 'getTestResult' ? reaction : undefined) });
      expect(await codeOf(open(tpm, { timeoutSeconds: 0.3 }))).toBe('KEY_UNREADABLE');
    }
  });
});

describe('a handle', () => {
  it('where there is no key says so', async () => {
    const tpm = await start();
    const error = await open(tpm, { key: { handle: 0x81000999 } }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'KEY_UNREADABLE',
      message: expect.stringContaining('0x81000999') as string,
    });
  });

  it('of something else is refused before the TPM is asked', async () => {
    const tpm = await start();
    for (const handle of [0, 0x40000001, 0x01000001, 0x02000000, 0xffffffff]) {
      expect(await codeOf(open(tpm, { key: { handle } }))).toBe('INVALID_ARGUMENT');
    }
    expect(tpm.commands).toEqual([]);
  });
});

describe('a key of another TPM', () => {
  it('is told from a failure', async () => {
    const tpm = await start({ fault: failing('load', 0x1df, 1) });
    await using signer = await open(tpm, { key: keyFile(owner, true) });
    expect(await codeOf(signer.sign(message))).toBe('KEY_INVALID');
    expect([...tpm.loaded]).toEqual([]);
  });
});
