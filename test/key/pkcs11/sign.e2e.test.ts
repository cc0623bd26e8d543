import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issue, makeAuthority } from '../../support/pki.ts';
import type { TestKeyType } from '../../support/pki.ts';
import { buildHost, buildWrapper, countCalls, makeSoftHsm, softHsmModule } from '../../support/softhsm.ts';
import type { SoftHsm, SoftToken } from '../../support/softhsm.ts';
import { describeSigner } from '../../support/signer-contract.ts';
import { requirePart } from '../../support/system-parts.ts';
import { failure, open, pinProvider, signsFor, waitUntil } from './rig.ts';

const root = makeAuthority();
const leaf = issue(root);
const publicKey = leaf.keys.publicKey.export({ type: 'spki', format: 'der' });

let hsm: SoftHsm;
let token: SoftToken;
let logs = 0;

beforeAll(async () => {
  hsm = await makeSoftHsm();
  process.env['SOFTHSM2_CONF'] = hsm.env.SOFTHSM2_CONF;
  token = await hsm.makeToken('signing');
  await token.importPair(leaf, { id: '01', label: 'leaf' });
});
afterAll(() => hsm[Symbol.asyncDispose]());

/** Through the wrapper, which counts. */
async function openCounted(options: Parameters<typeof open>[0]) {
  logs += 1;
  const log = join(hsm.directory, `calls-${logs}`);
  process.env['WRAPPER_MODULE'] = softHsmModule;
  process.env['WRAPPER_LOG'] = log;
  const contents = await open({ library: await buildWrapper(), ...options });
  return { ...contents, calls: () => countCalls(log) };
}

describe.each<TestKeyType>(['rsa-2048', 'P-256', 'P-384', 'P-521'])('%s', (keyType) => {
  const key = issue(root, { keyType });
  const spki = key.keys.publicKey.export({ type: 'spki', format: 'der' });
  let own: SoftToken;
  let log: string;

  beforeAll(async () => {
    own = await hsm.makeToken(keyType);
    await own.importPair(key, { id: '01', label: 'leaf' });
    log = join(hsm.directory, `contract-${keyType}`);
  });

  describeSigner(keyType, () => ({
    publicKey: spki,
    open: async () => {
      process.env['WRAPPER_MODULE'] = softHsmModule;
      process.env['WRAPPER_LOG'] = log;
      const { signer } = await open({ certificate: own.uri(), library: await buildWrapper() });
      if (signer === undefined) throw new Error('no signer');
      expect(signer.keyType).toBe(keyType === 'rsa-2048' ? 'rsa' : 'ec');
      return signer;
    },
    expectNothingLeft: async () => {
      const counts = await countCalls(log);
      expect(counts['C_CloseSession']).toBe(counts['C_OpenSession']);
      expect(counts['C_Finalize']).toBe(counts['C_Initialize']);
    },
  }));
});

describe('calls of the module', () => {
  it('one login and one C_Sign a signature, and nothing is left open', async () => {
    const { signer, calls } = await openCounted({ certificate: token.uri() });
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(await calls()).toMatchObject({ 'C_Login user': 1, C_Sign: 1 });
    expect(await signsFor(signer, publicKey)).toBe(true);
    await signer?.[Symbol.asyncDispose]();
    const { C_OpenSession: sessions, ...counts } = await calls();
    expect(counts).toMatchObject({ 'C_Login user': 1, C_Sign: 2, C_Finalize: 1, C_CloseSession: sessions });
    expect((await failure(signsFor(signer, publicKey))).code).toBe('SIGNING_FAILED');
  });

  it("OpenSC's pkcs11-spy counts the same", async () => {
    const spy = requirePart('pkcs11Spy');
    const log = join(hsm.directory, 'spy.log');
    process.env['PKCS11SPY'] = softHsmModule;
    process.env['PKCS11SPY_OUTPUT'] = log;
    const { signer } = await open({ certificate: token.uri(), library: spy });
    expect(await signsFor(signer, publicKey)).toBe(true);
    await signer?.[Symbol.asyncDispose]();
    const text = await readFile(log, 'utf8');
    const count = (call: string): number => text.match(new RegExp(`^\\d+: ${call}$`, 'gm'))?.length ?? 0;
    expect([count('C_Login'), count('C_Sign'), count('C_Finalize')]).toEqual([1, 1, 1]);
    expect(count('C_OpenSession')).toBe(count('C_CloseSession'));
    expect(count('C_OpenSession')).toBeGreaterThan(0);
  });

  it('two signings at once wait for each other', async () => {
    const { signer, calls } = await openCounted({ certificate: token.uri() });
    const all = await Promise.all(Array.from({ length: 10 }, () => signsFor(signer, publicKey)));
    expect(all).toEqual(Array.from({ length: 10 }, () => true));
    expect(await calls()).toMatchObject({ 'C_Login user': 1, C_Sign: 10 });
  });

  it('CKR_USER_ALREADY_LOGGED_IN is no failure', async () => {
    process.env['WRAPPER_LOGGED_IN'] = '1';
    const { signer } = await openCounted({ certificate: token.uri() });
    expect(await signsFor(signer, publicKey)).toBe(true);
  });

  it('a token without CKF_LOGIN_REQUIRED is not logged in to', async () => {
    process.env['WRAPPER_CLEAR_FLAGS'] = '4';
    const { code } = await failure(openCounted({ certificate: token.uri() }));
    // SoftHSM hides private keys without a login, whatever the wrapper says.
    expect(code).toBe('PKCS11_NOT_FOUND');
    expect(await countCalls(process.env['WRAPPER_LOG'] ?? '')).not.toHaveProperty('C_Login user');
  });

  it('what the module prints does not reach standard output, where the result is', async () => {
    const script = join(hsm.directory, 'print.cjs');
    await bundleSigner(script);
    const wrapper = await buildWrapper();
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [script, token.uri(), wrapper, await buildHost()],
      {
        env: { ...process.env, WRAPPER_MODULE: softHsmModule, WRAPPER_PRINT: '1' },
      },
    );
    expect(stdout).toBe('signed\n');
    expect(stderr).toContain('chatter of the module');
  });
});

describe('mechanisms', () => {
  it.each([
    ['rsa-2048', '1', '0x1'],
    ['rsa-2048', '40', '0x40'],
    ['rsa-2048', '1,40', '0x1'],
    ['P-256', '1041', '0x1041'],
    ['P-256', '1044', '0x1044'],
  ] as const)('%s with 0x%s on offer is signed by %s', async (keyType, mechanisms, used) => {
    const key = issue(root, { keyType });
    const own = await hsm.makeToken(`${keyType} ${mechanisms}`);
    await own.importPair(key, { id: '01', label: 'leaf' });
    process.env['WRAPPER_MECHANISMS'] = mechanisms;
    const { signer, calls } = await openCounted({ certificate: own.uri() });
    expect(await signsFor(signer, key.keys.publicKey.export({ type: 'spki', format: 'der' }))).toBe(true);
    expect(await calls()).toMatchObject({ [`C_SignInit ${used}`]: 1, C_Sign: 1 });
  });

  it('a token with none that the service takes says so', async () => {
    process.env['WRAPPER_MECHANISMS'] = '1087';
    const { signer } = await openCounted({ certificate: token.uri() });
    expect((await failure(signsFor(signer, publicKey))).code).toBe('KEY_UNSUPPORTED');
  });
});

describe('points of EC keys', () => {
  it('raw, without the OCTET STRING', async () => {
    process.env['WRAPPER_RAW_POINT'] = '1';
    const { signer } = await openCounted({ privateKey: token.uri() });
    expect(Buffer.from(signer?.publicKey ?? [])).toEqual(publicKey);
  });

  it('hidden: the certificate tells the public key', async () => {
    process.env['WRAPPER_HIDE'] = '181';
    const { signer } = await openCounted({ privateKey: token.uri() });
    expect(Buffer.from(signer?.publicKey ?? [])).toEqual(publicKey);
  });
});

describe('modules', () => {
  it("p11-kit's proxy by default", async () => {
    requirePart('p11Kit');
    const { signer } = await open({ certificate: token.uri(), library: undefined });
    expect(await signsFor(signer, publicKey)).toBe(true);
  });

  it('module-path in the URI, and module-name', async () => {
    for (const query of [`module-path=${softHsmModule}`, 'module-name=softhsm2']) {
      const { signer } = await open({ certificate: `${token.uri()}?${query}`, library: undefined });
      expect(await signsFor(signer, publicKey)).toBe(true);
    }
  });

  it('certificate and key by two modules', async () => {
    const { signer, certificates } = await open({
      certificate: `${token.uri()}?module-name=softhsm2`,
      privateKey: token.uri(),
      library: undefined,
    });
    expect(await signsFor(signer, publicKey)).toBe(true);
    expect(certificates).toHaveLength(1);
  });

  it('a module that is not there is named', async () => {
    const { code, message } = await failure(
      open({ certificate: token.uri(), library: '/nonexistent/module.so' }),
    );
    expect(code).toBe('PKCS11_UNAVAILABLE');
    expect(message).toContain('/nonexistent/module.so');
    const noModule = await failure(open({ certificate: token.uri(), library: '/usr/bin/openssl' }));
    expect(noModule.code).toBe('PKCS11_UNAVAILABLE');
  });
});

describe('PINs', () => {
  it('pin-value and pin-source', async () => {
    const file = join(hsm.directory, 'pin');
    await writeFile(file, '1234\n');
    for (const query of [
      'pin-value=1234',
      `pin-source=${file}`,
      `pin-source=file:${file}`,
      `pin-source=file://${file}`,
    ]) {
      const { signer } = await open({ certificate: `${token.uri()}?${query}`, pin: undefined });
      expect(await signsFor(signer, publicKey)).toBe(true);
    }
  });

  it('a wrong PIN is tried once, and never repeated', async () => {
    const { code, message } = await failure(
      openCounted({ certificate: token.uri(), pin: pinProvider('9999') }),
    );
    expect(code).toBe('PASSWORD_WRONG');
    expect(message).toContain('signing');
    expect(message).not.toContain('9999');
    expect(await countCalls(process.env['WRAPPER_LOG'] ?? '')).toMatchObject({
      'C_Login user': 1,
      C_Finalize: 1,
    });
  });

  it('no PIN is an error at once', async () => {
    const { code } = await failure(openCounted({ certificate: token.uri(), pin: undefined }));
    expect(code).toBe('PASSWORD_REQUIRED');
    expect(await countCalls(process.env['WRAPPER_LOG'] ?? '')).not.toHaveProperty('C_Login user');
    const missing = failure(open({ certificate: `${token.uri()}?pin-source=/nonexistent`, pin: undefined }));
    expect((await missing).code).toBe('PASSWORD_UNREADABLE');
  });
});

/** A program that opens, signs, says so, and closes. */
async function bundleSigner(file: string): Promise<void> {
  const source = join(import.meta.dirname, '../../../src/key/pkcs11/open.ts');
  await build({
    stdin: {
      contents: `
        import { openPkcs11 } from ${JSON.stringify(source)};
        const [, , certificate, library, host, hold] = process.argv;
        openPkcs11({ certificate: certificate + '?pin-value=1234', library, host }).then(async ({ signer }) => {
          await signer.sign(Buffer.from('message'));
          console.log('signed');
          if (hold) setInterval(() => undefined, 1000);
          else await signer[Symbol.asyncDispose]();
        });`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    outfile: file,
    logLevel: 'error',
  });
}

describe('processes', () => {
  it('20 at once on one token', { timeout: 120_000 }, async () => {
    const script = join(hsm.directory, 'many.cjs');
    await bundleSigner(script);
    const host = await buildHost();
    const outputs = await Promise.all(
      Array.from({ length: 20 }, () =>
        promisify(execFile)(process.execPath, [script, token.uri(), softHsmModule, host]),
      ),
    );
    expect(outputs.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 20 }, () => 'signed\n'));
  });

  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'one that ends by %s leaves nothing open',
    async (signal) => {
      const script = join(hsm.directory, 'held.cjs');
      const log = join(hsm.directory, `held-${signal}`);
      await bundleSigner(script);
      const child = execFile(
        process.execPath,
        [script, token.uri(), await buildWrapper(), await buildHost(), 'hold'],
        {
          env: { ...process.env, WRAPPER_MODULE: softHsmModule, WRAPPER_LOG: log },
        },
      );
      await new Promise((resolve) => child.stdout?.once('data', resolve));
      child.kill(signal);
      await waitUntil(async () => existsSync(log) && 'C_Finalize' in (await countCalls(log)));
      const counts = await countCalls(log);
      expect(counts['C_CloseSession']).toBe(counts['C_OpenSession']);
    },
  );

  it('one that ends while the module hangs takes the module along', async () => {
    const script = join(hsm.directory, 'hung.cjs');
    const log = join(hsm.directory, 'hung');
    await bundleSigner(script);
    const child = execFile(process.execPath, [script, token.uri(), await buildWrapper(), await buildHost()], {
      env: { ...process.env, WRAPPER_MODULE: softHsmModule, WRAPPER_LOG: log, WRAPPER_HANG: 'C_Sign' },
    });
    await waitUntil(async () => existsSync(log) && 'C_Sign' in (await countCalls(log)));
    const { stdout } = await promisify(execFile)('pgrep', ['-P', String(child.pid)]);
    child.kill('SIGKILL');
    await waitUntil(() => Promise.resolve(!existsSync(`/proc/${stdout.trim()}`)));
  });
});
