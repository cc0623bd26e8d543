import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { prepareSession } from '../../src/aws/create-session.ts';
import { sessionSource } from '../../src/credentials/session-source.ts';
import type { OpenedSession, SessionSource } from '../../src/credentials/session-source.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import type { Emulator, RequestLogEntry } from '../../src/emulator/emulator.ts';
import type { IdentityOptions } from '../../src/identity/options.ts';
import { once } from '../../src/key/password.ts';
import { Secret } from '../../src/secret.ts';
import { expectCode } from '../support/errors.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import type { CertificateOptions, Issued } from '../support/pki.ts';

const authority = makeAuthority();
const directory = mkdtempSync(join(tmpdir(), 'source '));
const path = (name: string): string => join(directory, name);
const requests: RequestLogEntry[] = [];
let emulator: Emulator;

beforeAll(async () => {
  writeFileSync(path('ca.pem'), authority.certificatePem);
  emulator = await startEmulator({
    trustAnchors: [path('ca.pem')],
    onRequest: (entry) => requests.push(entry),
  });
});
afterAll(async () => {
  await emulator.close();
  rmSync(directory, { recursive: true });
});

const certificate = path('leaf.pem');
const privateKey = path('leaf.key');
const serialOf = ({ certificate: leaf }: OpenedSession): bigint | undefined => leaf?.serialNumber;

function renew(options?: CertificateOptions): Issued {
  const leaf = issue(authority, options);
  writeFileSync(certificate, leaf.certificatePem);
  writeFileSync(privateKey, leaf.privateKeyPem, { mode: 0o600 });
  return leaf;
}

let source: SessionSource;
let now: Date;
let said: string[];
beforeEach(() => {
  now = new Date();
  said = [];
  requests.length = 0;
});
afterEach(() => source[Symbol.asyncDispose]());

function make(identity: IdentityOptions = { certificate, privateKey }): SessionSource {
  const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
  return (source = sessionSource({
    identity,
    session: prepareSession({ endpoint, trustAnchorArn, profileArn, roleArn }),
    connection: {
      proxy: 'none',
      now: () => now,
      sleep: () => Promise.resolve(),
      reporter: {
        warn: (message) => said.push(message),
        note: (message) => said.push(message),
        debug: () => undefined,
      },
    },
  }));
}

describe('a pair that is renewed on disk', () => {
  it('is used by the next session, of another key type too', async () => {
    const first = renew({ keyType: 'rsa-2048' });
    make();
    expect(serialOf(await source.open())).toBe(first.serial);
    const second = renew({ keyType: 'P-384' });
    expect(serialOf(await source.open())).toBe(second.serial);
    expect(requests.map(({ ok }) => ok)).toEqual([true, true]);
    expect(said).toEqual([]);
  });

  it("is used when a Kubernetes secret's link is swapped", async () => {
    const [old, next] = [issue(authority), issue(authority)];
    for (const [name, leaf] of [
      ['..1', old],
      ['..2', next],
    ] as const) {
      mkdirSync(path(name));
      writeFileSync(path(`${name}/tls.crt`), leaf.certificatePem);
      writeFileSync(path(`${name}/tls.key`), leaf.privateKeyPem, { mode: 0o600 });
    }
    symlinkSync('..1', path('..data'));
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, path(name));
    make({ certificate: path('tls.crt'), privateKey: path('tls.key') });
    expect(serialOf(await source.open())).toBe(old.serial);
    symlinkSync('..2', path('..next'));
    renameSync(path('..next'), path('..data'));
    expect(serialOf(await source.open())).toBe(next.serial);
  });

  it.each<[string, () => void]>([
    [
      'does not fit together',
      () => {
        writeFileSync(certificate, issue(authority).certificatePem);
      },
    ],
    [
      'is torn',
      () => {
        writeFileSync(certificate, authority.certificatePem.slice(0, 200));
      },
    ],
    [
      'is empty',
      () => {
        writeFileSync(privateKey, '');
      },
    ],
    [
      'is missing',
      () => {
        unlinkSync(privateKey);
      },
    ],
    [
      'has expired',
      () => {
        renew({ notAfter: new Date(now.getTime() - 1000) });
      },
    ],
  ])('stays as it was while what is there %s, which is told once', async (_, spoil) => {
    const good = renew();
    make();
    await source.open();
    spoil();
    for (let count = 0; count < 3; count += 1) {
      now = new Date(now.getTime() + 10_000);
      const session = await source.open();
      expect([serialOf(session), session.isLastGood]).toEqual([good.serial, true]);
    }
    expect(said).toHaveLength(1);
    const next = renew();
    const session = await source.open();
    expect([serialOf(session), session.isLastGood]).toEqual([next.serial, undefined]);
    expect(said).toHaveLength(2);
    expect(requests.every(({ ok }) => ok)).toBe(true);
  });

  it('tells another reason again', async () => {
    renew();
    make();
    await source.open();
    writeFileSync(privateKey, '');
    await source.open();
    unlinkSync(privateKey);
    await source.open();
    expect(said).toHaveLength(2);
  });

  it('fails in the end, when the last good certificate has expired too', async () => {
    renew();
    make();
    await source.open();
    unlinkSync(privateKey);
    now = new Date(now.getTime() + 48 * 3_600_000);
    await expectCode(() => source.open(), 'KEY_UNREADABLE');
  });
});

describe('what can be read only once', () => {
  it('is remembered', async () => {
    const leaf = renew();
    make({ certificate: `fd:${openSync(certificate, 'r')}`, privateKey: `fd:${openSync(privateKey, 'r')}` });
    for (let count = 0; count < 3; count += 1) expect(serialOf(await source.open())).toBe(leaf.serial);
  });

  it('a password too', async () => {
    const leaf = renew();
    const encrypted = leaf.keys.privateKey.export({
      format: 'pem',
      type: 'pkcs8',
      cipher: 'aes-256-cbc',
      passphrase: 'open',
    });
    writeFileSync(privateKey, encrypted);
    let asked = 0;
    const keyPassword = once(() => {
      asked += 1;
      return Promise.resolve(new Secret(Buffer.from('open')));
    });
    make({ certificate, privateKey, keyPassword });
    for (let count = 0; count < 3; count += 1) expect(serialOf(await source.open())).toBe(leaf.serial);
    expect(asked).toBe(1);
  });

  it('a wrong password is not tried again before something changes', async () => {
    renew();
    let [tries, password] = [0, 'open'];
    const keyPassword = () => {
      tries += 1;
      return Promise.resolve(new Secret(Buffer.from(password)));
    };
    make({ certificate, privateKey, keyPassword });
    await source.open();
    const { keys, serial } = issue(authority);
    const lock = (passphrase: string): void => {
      writeFileSync(
        privateKey,
        keys.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase }),
      );
    };
    lock('another');
    for (let count = 0; count < 3; count += 1) expect(serialOf(await source.open())).not.toBe(serial);
    expect(tries).toBe(1);
    password = 'other';
    const next = issue(authority, { keys });
    writeFileSync(certificate, next.certificatePem);
    lock('other');
    expect(serialOf(await source.open())).toBe(next.serial);
  });
});

it('knows by the answer when the service opened the session, though our clock is a little slow', async () => {
  renew();
  now = new Date(now.getTime() - 4 * 60_000);
  const session = await make().open();
  const life = session.credentials.expiration.getTime() - session.opened.getTime();
  expect(life / 1000).toBeLessThan(3602);
  expect((session.skew ?? 0) / 60_000).toBeCloseTo(4, 0);
  expect(said).toEqual([]);
});

it('makes one attempt alone for who tries again by itself', async () => {
  renew();
  const { trustAnchorArn, profileArn, roleArn } = emulator;
  const steps: string[] = [];
  source = sessionSource({
    identity: { certificate, privateKey },
    // The port of RFC 863: nothing listens there.
    session: prepareSession({ endpoint: 'http://127.0.0.1:9', trustAnchorArn, profileArn, roleArn }),
    connection: {
      proxy: 'none',
      sleep: () => Promise.resolve(),
      reporter: { warn: () => undefined, debug: (step) => steps.push(step) },
    },
  });
  const attempts = () => steps.splice(0).filter((step) => step.startsWith('POST ')).length;
  await expectCode(() => source.open({ once: true }), 'SERVICE_UNREACHABLE');
  expect(attempts()).toBe(1);
  await expectCode(() => source.open(), 'SERVICE_UNREACHABLE');
  expect(attempts()).toBe(5);
});

it('names the files that it reads', () => {
  const selector = path('selector.json');
  const keyPassword = Object.assign(() => Promise.resolve(new Secret(new Uint8Array())), {
    file: '/password',
  });
  make({
    certificate,
    privateKey,
    intermediates: '/issuers',
    certificateSelector: `file://${selector}`,
    keyPassword,
  });
  expect(source.files).toEqual([certificate, privateKey, '/issuers', selector, '/password']);
  expect(make({ certificate: 'env:A', privateKey: 'pkcs11:token=t' }).files).toEqual([]);
});

it('opens nothing once it is closed', async () => {
  renew();
  make();
  await source[Symbol.asyncDispose]();
  await expectCode(() => source.open(), 'INVALID_ARGUMENT');
});
