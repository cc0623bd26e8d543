import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type * as Library from '../../src/index.ts';
import { startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import type { Issued } from '../support/pki.ts';
import { buildWrapper, countCalls, makeSoftHsm, softHsmModule } from '../support/softhsm.ts';
import type { SoftHsm } from '../support/softhsm.ts';

const authority = makeAuthority();
let hsm: SoftHsm;
let ca: string;
let emulator: EmulatorProcess;

beforeAll(async () => {
  hsm = await makeSoftHsm();
  process.env['SOFTHSM2_CONF'] = hsm.env.SOFTHSM2_CONF;
  ca = join(hsm.directory, 'ca.pem');
  await writeFile(ca, authority.certificatePem);
  emulator = await startEmulatorProcess(['--trust-anchor', ca]);
});
afterAll(async () => {
  await emulator.close();
  await hsm[Symbol.asyncDispose]();
});

/** A provider whose key is on a token, and what the token's module was called for. */
async function withToken(label: string, leaf: Issued, options: Partial<Library.RolesAnywhereOptions>) {
  // As it is published: the module's process is one of the built files.
  const { fromRolesAnywhere } = (await import(resolve('dist/lib/index.js'))) as typeof Library;
  const token = await hsm.makeToken(label);
  await token.importPair(leaf, { id: '01', label: 'leaf' });
  const log = join(hsm.directory, `${label}.calls`);
  process.env['WRAPPER_MODULE'] = softHsmModule;
  process.env['WRAPPER_LOG'] = log;
  const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
  const provider = fromRolesAnywhere({
    ...{ endpoint, trustAnchorArn, profileArn, roleArn, proxy: 'none' },
    privateKey: token.uri(),
    pkcs11Library: await buildWrapper(),
    keyPassword: '1234',
    ...options,
  });
  return { token, provider, calls: () => countCalls(log) };
}

it('a token is logged in to once for all sessions, and again for a certificate that is renewed', async () => {
  const leaf = issue(authority);
  const certificate = join(hsm.directory, 'leaf.pem');
  await writeFile(certificate, leaf.certificatePem);
  const asked: string[] = [];
  const keyPassword = () => {
    asked.push('PIN');
    return '1234';
  };
  const { provider, calls } = await withToken('kept', leaf, { certificate, keyPassword });
  await using closing = provider;
  for (let count = 0; count < 3; count += 1) await closing({ forceRefresh: true });
  expect(await calls()).toMatchObject({ C_Initialize: 1, 'C_Login user': 1, C_Sign: 3 });
  expect(asked).toHaveLength(1);

  // The service, not the token, is what fails here: nobody is asked for a PIN again.
  const { port } = new URL(emulator.endpoint);
  await emulator.close();
  const before = await provider();
  expect((await provider({ forceRefresh: true })).accessKeyId).toBe(before.accessKeyId);
  const refusing = ['--fault', 'error:AccessDeniedException:1'];
  emulator = await startEmulatorProcess(['--trust-anchor', ca, '--port', port, ...refusing]);
  expect((await provider({ forceRefresh: true })).accessKeyId).toBe(before.accessKeyId);
  expect(await calls()).toMatchObject({ C_Initialize: 1, 'C_Login user': 1 });
  // What was refused may be another on the token by now.
  expect((await provider({ forceRefresh: true })).accessKeyId).not.toBe(before.accessKeyId);
  expect(await calls()).toMatchObject({ 'C_Login user': 2, C_CloseSession: 1, C_Finalize: 1 });

  await writeFile(certificate, issue(authority, { keys: leaf.keys }).certificatePem);
  await provider({ forceRefresh: true });
  // What was open for the old one is closed.
  expect(await calls()).toMatchObject({ 'C_Login user': 3, C_CloseSession: 2, C_Finalize: 2 });
  expect((await emulator.output()).match(/"ok":false/g)).toHaveLength(1);
});

it('a certificate on a token is looked for again once it is about to expire', async () => {
  const hour = 3_600_000;
  const soon = issue(authority, {
    notBefore: new Date(Date.now() - 3 * hour),
    notAfter: new Date(Date.now() + hour),
  });
  const { token, provider, calls } = await withToken('renewed', soon, { useLatestExpiring: true });
  await using closing = provider;
  await closing();
  const { certificateDer } = issue(authority, { keys: soon.keys });
  await token.importCertificate(certificateDer, { id: '01', label: 'leaf' });
  await closing({ forceRefresh: true });
  expect(await calls()).toMatchObject({ 'C_Login user': 2 });
  // It lasts: from now on what is open is kept.
  await closing({ forceRefresh: true });
  expect(await calls()).toMatchObject({ 'C_Login user': 2 });
});
