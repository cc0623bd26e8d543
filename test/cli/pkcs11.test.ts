import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.ts';
import type { Outcome, RunOptions } from '../support/command.ts';
import { commandRuntimes, commandWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import { buildWrapper, countCalls, makeSoftHsm, opensslVerifies, softHsmModule } from '../support/softhsm.ts';
import type { SoftHsm, SoftToken } from '../support/softhsm.ts';
import { typeAtPrompt } from '../support/type-at-prompt.ts';

// The built command with real tokens, against the emulator, which verifies what they signed.
const root = makeAuthority({ name: 'Root' });
const issuing = makeAuthority({ name: 'Issuing', issuer: root });
const leaf = issue(issuing, { name: 'on a token', keyType: 'rsa-2048' });
const stranger = makeAuthority({ name: 'Stranger' });
const fileLeaf = issue(root, { name: 'in a file' });

let hsm: SoftHsm;
let token: SoftToken;
let emulator: EmulatorProcess;
let wrapper: string;
const file = (name: string) => path.join(hsm.directory, name);

beforeAll(async () => {
  hsm = await makeSoftHsm();
  token = await hsm.makeToken('command line');
  await token.importPair(leaf, { id: '01', label: 'leaf' });
  await token.importCertificate(issuing.certificateDer, { id: '02', label: 'issuing' });
  await token.importCertificate(stranger.certificateDer, { id: '03', label: 'stranger' });
  await token.importCertificate(fileLeaf.certificateDer, { id: '04', label: 'certificate alone' });
  await writeFile(file('root.pem'), root.certificatePem);
  await writeFile(file('leaf.pem'), leaf.certificatePem + issuing.certificatePem);
  await writeFile(file('file.key'), fileLeaf.privateKeyPem, { mode: 0o600 });
  await writeFile(file('pin'), '1234\n', { mode: 0o600 });
  emulator = await startEmulatorProcess(['--trust-anchor', file('root.pem')]);
  wrapper = await buildWrapper();
});

afterAll(async () => {
  await emulator.close();
  await hsm[Symbol.asyncDispose]();
});

function session(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
  const arns = ['--trust-anchor-arn', trustAnchorArn, '--profile-arn', profileArn, '--role-arn', roleArn];
  return run(['credential-process', '--endpoint', endpoint, ...arns, ...words], {
    ...options,
    env: { ...hsm.env, ...options.env },
  });
}

function opened({ code, stdout, stderr }: Outcome): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
}

describe('credential-process', () => {
  it('with a certificate on a token, which finds its key and its issuer', async () => {
    opened(await session(['--certificate', `${token.uri('object=leaf')}?pin-value=1234`]));
  });

  it.each(commandRuntimes())('on $name', async ({ path: node }) => {
    opened(await session(['--certificate', `${token.uri('object=leaf')}?pin-value=1234`], { node }));
  });

  it('with a key on a token, which finds its certificate', async () => {
    opened(await session(['--private-key', `${token.uri('id=%01')}?pin-source=${file('pin')}`]));
  });

  it('with both, or either of them in a file', async () => {
    const [certificate, key] = [token.uri('object=leaf'), `${token.uri('object=leaf')}?pin-value=1234`];
    opened(await session(['--certificate', certificate, '--private-key', key]));
    opened(await session(['--certificate', file('leaf.pem'), '--private-key', key]));
    const alone = token.uri('object=certificate%20alone');
    opened(await session(['--certificate', alone, '--private-key', file('file.key')]));
  });

  it('with --pkcs11-lib, and the PIN from --key-password-from', async () => {
    const words = ['--pkcs11-lib', softHsmModule, '--certificate', token.uri('object=leaf')];
    opened(await session([...words, '--key-password-from', `file:${file('pin')}`]));
    opened(await session([...words, '--key-password-from', 'env:PIN'], { env: { PIN: '1234' } }));
    opened(await session([...words, '--key-password-from', 'stdin'], { input: '1234\n' }));
  });

  it('with a selector among the certificates of a token', async () => {
    const selector = 'Key=x509Subject,Value=CN=on a token';
    const certificate = ['--certificate', `${token.uri()}?pin-value=1234`];
    opened(await session([...certificate, '--cert-selector', selector]));
    const { code } = await session([...certificate, '--cert-selector', 'Key=x509Subject,Value=CN=nobody']);
    expect(code).toBe(3);
  });

  it('logs in once and signs once', async () => {
    const env = { WRAPPER_MODULE: softHsmModule, WRAPPER_LOG: file('calls'), WRAPPER_PRINT: '1' };
    const words = ['--pkcs11-lib', wrapper, '--certificate', `${token.uri('object=leaf')}?pin-value=1234`];
    const { code, stdout, stderr } = await session(words, { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'chatter of the module\n' });
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    const { C_OpenSession: sessions, ...counts } = await countCalls(file('calls'));
    expect(counts).toMatchObject({ 'C_Login user': 1, C_Sign: 1, C_Finalize: 1, C_CloseSession: sessions });
  });

  it('names a module that hangs, within --timeout', async () => {
    const env = { WRAPPER_MODULE: softHsmModule, WRAPPER_HANG: 'C_Sign' };
    const words = ['--pkcs11-lib', wrapper, '--certificate', `${token.uri('object=leaf')}?pin-value=1234`];
    const { code, stdout, stderr } = await session([...words, '--timeout', '2'], { env, timeout: 15_000 });
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain(wrapper);
    expect(stderr).toContain('C_Sign');
  });

  it('names a module that crashes', async () => {
    const env = { WRAPPER_MODULE: softHsmModule, WRAPPER_CRASH: 'C_OpenSession' };
    const words = ['--pkcs11-lib', wrapper, '--certificate', token.uri('object=leaf')];
    const { code, stdout, stderr } = await session(words, { env });
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain(wrapper);
    expect(stderr).toContain('C_OpenSession');
  });

  it('asks nobody when there is no terminal: no PIN is an error at once', async () => {
    const { code, stdout, stderr } = await session(['--certificate', token.uri('object=leaf')]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('PIN');
  });

  it('asks a person for the PIN by its name, and offers no empty one', async () => {
    const command = [...commandWords(), 'sign-string', '--private-key', token.uri('object=leaf')];
    const ask = (text: string) => typeAtPrompt(command, 'PIN of', text, { env: hsm.env });
    expect((await ask('1234\r')).code).toBe(0);
    const cancelled = await ask('\u0004');
    expect(cancelled).toMatchObject({ code: 3, screen: expect.stringContaining('no PIN was') as string });
    const env = { WRAPPER_MODULE: softHsmModule, WRAPPER_LOG: file('no login') };
    const words = ['--pkcs11-lib', wrapper, '--private-key', token.uri('object=leaf')];
    const { code, stderr } = await session([...words, '--key-password-from', 'stdin'], { env });
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('is empty') as string });
    expect(await countCalls(file('no login'))).not.toHaveProperty('C_Login user');
  });

  it('--debug shows no PIN, right or wrong', async () => {
    const canary = '7351849206';
    await writeFile(file('canary'), canary);
    for (const words of [
      ['--certificate', `${token.uri('object=leaf')}?pin-value=${canary}`],
      ['--certificate', `${token.uri('object=nobody')}?pin-value=${canary}`],
      ['--certificate', token.uri('object=leaf'), '--key-password-from', `file:${file('canary')}`],
      ['--private-key', `${token.uri('object=leaf')}?pin-source=${file('canary')}`],
      ['--private-key', `${token.uri('object=leaf')};pin-value=${canary}`],
    ]) {
      const { code, stdout, stderr } = await session([...words, '--debug']);
      expect([2, 3]).toContain(code);
      expect(stdout + stderr).not.toContain(canary);
    }
    const { code, stderr } = await session([
      '--debug',
      ...['--certificate', `${token.uri('object=leaf')}?pin-value=1234`],
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain('pkcs11');
    expect(stderr).not.toMatch(/\b1234\b/);
  });
});

describe('read-certificate-data', () => {
  it('prints each certificate of a token with its complete URI, in a stable order', async () => {
    const words = ['read-certificate-data', '--pkcs11-lib', softHsmModule, '--certificate', token.uri()];
    const { code, stdout } = await run(words, { env: hsm.env });
    expect(code).toBe(0);
    const objects = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { uri: string; serialNumber: string });
    expect(objects).toHaveLength(4);
    expect(objects.map(({ uri }) => uri)).toEqual(objects.map(({ uri }) => uri).sort());
    for (const { uri } of objects) expect(uri).toContain(`serial=${token.serial};token=command%20line`);
    expect(objects[0]?.serialNumber).toBe(leaf.serial.toString());
  });
});

describe('sign-string', () => {
  it('signs the same string whether the certificate is named or not', async () => {
    const key = ['--private-key', `${token.uri('object=leaf')}?pin-value=1234`];
    const output = file('signature');
    for (const words of [key, [...key, '--certificate', token.uri('object=leaf')]]) {
      const { code, stdout } = await run(['sign-string', ...words, '--format', 'text'], { env: hsm.env });
      expect(code).toBe(0);
      await writeFile(output, stdout, { flag: 'a' });
    }
    const both = await readFile(output, 'utf8');
    expect(both.slice(0, both.length / 2)).toBe(both.slice(both.length / 2));
    const [message, publicKey] = signedString();
    const signature = Buffer.from(both.slice(0, both.length / 2), 'hex');
    expect(await opensslVerifies(publicKey, message, signature)).toBe(true);
  });
});

/** The old helper's string: a fixed text, then the hash that binds it to the key. */
function signedString(): [Uint8Array, Uint8Array] {
  const publicKey = leaf.keys.publicKey.export({ type: 'spki', format: 'der' });
  const inner = leaf.keys.publicKey.export({ type: 'pkcs1', format: 'der' });
  const hash = createHash('sha256').update('IAM RA').update(inner).digest();
  return [
    Buffer.concat([Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1'), hash]),
    publicKey,
  ];
}
