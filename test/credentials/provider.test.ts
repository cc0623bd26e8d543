import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fromRolesAnywhere } from '../../src/credentials/provider.ts';
import type { RolesAnywhereOptions, RolesAnywhereProvider } from '../../src/credentials/provider.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import type { Emulator, RequestLogEntry } from '../../src/emulator/emulator.ts';
import { openSigner } from '../../src/identity/identity.ts';
import { expectCode } from '../support/errors.ts';
import { issue, makeAuthority } from '../support/pki.ts';

const directory = mkdtempSync(join(tmpdir(), 'provider '));
const certificate = join(directory, 'leaf.pem');
const privateKey = join(directory, 'leaf.key');
const requests: RequestLogEntry[] = [];
let emulator: Emulator;

beforeAll(async () => {
  emulator = await startEmulator({ pkiDirectory: directory, onRequest: (entry) => requests.push(entry) });
});
beforeEach(() => {
  requests.length = 0;
});
afterAll(async () => {
  await emulator.close();
  rmSync(directory, { recursive: true });
});

function make(options: Partial<RolesAnywhereOptions>): RolesAnywhereProvider {
  const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
  return fromRolesAnywhere({ endpoint, trustAnchorArn, profileArn, roleArn, proxy: 'none', ...options });
}

describe('fromRolesAnywhere', () => {
  it('asks for nothing before it is asked, and once for all', async () => {
    await using provider = make({ certificate, privateKey });
    expect(requests).toHaveLength(0);
    const all = await Promise.all([provider(), provider(), provider()]);
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId)).size).toBe(1);
    expect(all[0]).toMatchObject({ accountId: '123456789012', expiration: expect.any(Date) as Date });
    // The SDK writes into what it gets; a program may set its date.
    all[0].expiration.setTime(0);
    expect(all[0]).not.toBe(all[1]);
    expect(all[1].expiration.getTime()).toBeGreaterThan(Date.now());
    expect((await provider()).expiration).toEqual(all[1].expiration);
    const forced = await provider({ forceRefresh: true });
    expect(forced.accessKeyId).not.toBe(all[0].accessKeyId);
    expect(requests).toHaveLength(2);
  });

  it('is told the region of an SDK’s client, which has no say', async () => {
    await using provider = make({ certificate, privateKey });
    const asSdk: (properties?: Record<string, unknown>) => Promise<unknown> = provider;
    await asSdk({ callerClientConfig: { region: () => Promise.resolve('ap-southeast-2') } });
    expect(requests).toEqual([expect.objectContaining({ ok: true })]);
  });

  it('takes PEM text, bytes, and passwords of every kind', async () => {
    const pem = readFileSync(certificate, 'utf8');
    const { createPrivateKey } = await import('node:crypto');
    const encrypted = createPrivateKey(readFileSync(privateKey)).export({
      ...({ format: 'pem', type: 'pkcs8' } as const),
      ...{ cipher: 'aes-256-cbc', passphrase: 'open' },
    });
    const passwords = ['open', Buffer.from('open'), () => 'open', () => Promise.resolve(Buffer.from('open'))];
    for (const keyPassword of passwords) {
      await using provider = make({ certificate: pem, privateKey: Buffer.from(encrypted), keyPassword });
      await provider();
      // What was given is still there for the next session.
      await provider({ forceRefresh: true });
    }
    await using wrong = make({ certificate: pem, privateKey: encrypted.toString(), keyPassword: 'shut' });
    await expectCode(wrong, 'PASSWORD_WRONG');
  });

  it("takes a signer, which stays the program's, and fails as our own do", async () => {
    await using signer = await openSigner({ privateKey });
    const provider = make({ certificate, signer });
    await provider();
    await provider.close();
    expect(await signer.sign(Buffer.from('still open'))).toBeInstanceOf(Uint8Array);
    const { keyType, publicKey } = signer;
    await using broken = make({
      certificate,
      signer: { keyType, publicKey, sign: () => Promise.reject(new Error('secret words')) },
    });
    const error = await expectCode(broken, 'SIGNING_FAILED');
    expect(error.message).not.toContain('secret');
    await using stranger = make({
      certificate,
      signer: { ...signer, publicKey: new Uint8Array(10), keyType },
    });
    await expectCode(stranger, 'KEY_CERTIFICATE_MISMATCH');
  });

  it('warns once, of what is the same at each session', async () => {
    const [authority, hour] = [makeAuthority(), 3_600_000];
    const { certificatePem, privateKeyPem } = issue(authority, {
      notBefore: new Date(Date.now() - 24 * hour),
      notAfter: new Date(Date.now() + 3 * hour),
    });
    const anchor = join(directory, 'anchor.pem');
    writeFileSync(anchor, authority.certificatePem);
    await using other = await startEmulator({ trustAnchors: [anchor] });
    const { endpoint, trustAnchorArn, profileArn, roleArn } = other;
    const warnings: string[] = [];
    await using provider = make({
      ...{ endpoint, trustAnchorArn, profileArn, roleArn },
      ...{ certificate: certificatePem, privateKey: privateKeyPem },
      reporter: { warn: (message) => warnings.push(message), debug: () => undefined },
    });
    for (let count = 0; count < 3; count += 1) await provider({ forceRefresh: true });
    expect(warnings).toEqual([expect.stringContaining('will expire')]);
  });

  it('opens nothing any more once it is closed', async () => {
    const provider = make({ certificate, privateKey });
    await provider.close();
    await expectCode(provider, 'INVALID_ARGUMENT');
    expect(requests).toHaveLength(0);
  });

  it('refuses at once what can never work', async () => {
    await expectCode(() => make({ roleArn: 'arn:aws:iam::1:user/u' }), 'INVALID_ARGUMENT');
  });
});
