import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type * as Library from '../../src/index.ts';
import { startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import { buildWrapper, countCalls, makeSoftHsm, softHsmModule } from '../support/softhsm.ts';
import type { SoftHsm } from '../support/softhsm.ts';

const authority = makeAuthority();
let hsm: SoftHsm;
let emulator: EmulatorProcess;

beforeAll(async () => {
  hsm = await makeSoftHsm();
  process.env['SOFTHSM2_CONF'] = hsm.env.SOFTHSM2_CONF;
  const ca = join(hsm.directory, 'ca.pem');
  await writeFile(ca, authority.certificatePem);
  emulator = await startEmulatorProcess(['--trust-anchor', ca]);
});
afterAll(async () => {
  await emulator.close();
  await hsm[Symbol.asyncDispose]();
});

it('a token is logged in to once for all sessions, and again for a certificate that is renewed', async () => {
  // As it is published: the module's process is one of the built files.
  const { fromRolesAnywhere } = (await import(resolve('dist/lib/index.js'))) as typeof Library;
  const leaf = issue(authority);
  const token = await hsm.makeToken('kept');
  await token.importPair(leaf, { id: '01', label: 'leaf' });
  const certificate = join(hsm.directory, 'leaf.pem');
  await writeFile(certificate, leaf.certificatePem);
  const log = join(hsm.directory, 'calls');
  process.env['WRAPPER_MODULE'] = softHsmModule;
  process.env['WRAPPER_LOG'] = log;

  const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
  const asked: string[] = [];
  await using provider = fromRolesAnywhere({
    ...{ endpoint, trustAnchorArn, profileArn, roleArn, proxy: 'none', certificate },
    privateKey: token.uri(),
    pkcs11Library: await buildWrapper(),
    keyPassword: () => {
      asked.push('PIN');
      return '1234';
    },
  });
  for (let count = 0; count < 3; count += 1) await provider({ forceRefresh: true });
  expect(await countCalls(log)).toMatchObject({ C_Initialize: 1, 'C_Login user': 1, C_Sign: 3 });
  expect(asked).toHaveLength(1);

  await writeFile(certificate, issue(authority, { keys: leaf.keys }).certificatePem);
  await provider({ forceRefresh: true });
  expect(await countCalls(log)).toMatchObject({ 'C_Login user': 2, C_Sign: 4 });
  expect(emulator.output()).not.toContain('"ok":false');
});
