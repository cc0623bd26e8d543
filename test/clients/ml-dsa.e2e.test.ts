import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.ts';
import {
  commandFile,
  commandRuntimes,
  commandWords,
  sessionWords,
  startEmulatorProcess,
} from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { certify, makeMlDsaKeys, mlDsaNames, verifyMlDsa } from '../support/ml-dsa.ts';
import { encryptPbes2 } from '../support/pbes.ts';
import { issue, makeAuthority, toPem } from '../support/pki.ts';

/*
 * Signer and verifier on every runtime: Node.js 24 and newer sign by OpenSSL, older ones in JavaScript; the emulator
 * always verifies in JavaScript.
 */

const ec = makeAuthority({ name: 'EC authority' });
const mlDsaRoot = makeMlDsaKeys('ml-dsa-87', Buffer.alloc(32, 1));
const mlDsaIssuer = makeMlDsaKeys('ml-dsa-65', Buffer.alloc(32, 2));
const issuer = makeAuthority({ name: 'issuer', issuer: ec });
let directory: string;
const at = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ml-dsa '));
  await writeFile(at('ec.pem'), ec.certificatePem);
  // A whole path of ML-DSA: root, issuer and leaf.
  await writeFile(at('root.pem'), toPem('CERTIFICATE', certify(ec, mlDsaRoot, mlDsaRoot)));
  const issuerPem = toPem('CERTIFICATE', certify(issuer, mlDsaIssuer, mlDsaRoot));
  for (const name of mlDsaNames) {
    const keys = makeMlDsaKeys(name);
    const leaf = issue(ec, { name });
    await writeFile(at(`${name}.pem`), toPem('CERTIFICATE', certify(leaf, keys, ec)));
    const below = toPem('CERTIFICATE', certify(issue(issuer, { name }), keys, mlDsaIssuer));
    await writeFile(at(`${name}.path.pem`), issuerPem + below);
    const encrypted = encryptPbes2(keys.pkcs8.both, Buffer.from('password'));
    await writeFile(at(`${name}.key`), toPem('PRIVATE KEY', keys.pkcs8.seed), { mode: 0o600 });
    await writeFile(at(`${name}.expanded.key`), toPem('PRIVATE KEY', keys.pkcs8.expanded), { mode: 0o600 });
    await writeFile(at(`${name}.encrypted.key`), toPem('ENCRYPTED PRIVATE KEY', encrypted), { mode: 0o600 });
  }
});

afterAll(() => rm(directory, { recursive: true }));

describe.each(commandRuntimes())('ML-DSA on $name', ({ path: node }) => {
  let emulator: EmulatorProcess;

  beforeAll(async () => {
    emulator = await startEmulatorProcess(
      ['--trust-anchor', at('ec.pem'), '--trust-anchor', at('root.pem')],
      commandWords(commandFile, node),
    );
  });

  afterAll(() => emulator.close());

  const session = (certificate: string, key: string) =>
    run(
      [
        ...sessionWords(emulator, { certificate: at(certificate), key: at(key) }),
        '--key-password-from',
        'env:P',
      ],
      {
        node,
        env: { P: 'password' },
      },
    );

  it.each(mlDsaNames)('opens a session with %s under an EC authority', async (name) => {
    for (const form of ['', '.expanded', '.encrypted']) {
      const { code, stdout, stderr } = await session(`${name}.pem`, `${name}${form}.key`);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(JSON.parse(stdout)).toHaveProperty('SessionToken');
    }
  });

  it.each(mlDsaNames)('opens a session with %s under ML-DSA authorities, its issuer found', async (name) => {
    const { code, stderr } = await session(`${name}.path.pem`, `${name}.key`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('refuses a key of another certificate', async () => {
    const { code, stderr } = await session('ml-dsa-44.pem', 'ml-dsa-65.key');
    expect(code).toBe(3);
    expect(stderr).toContain('does not belong');
  });

  it('signs the test string itself', async () => {
    const words = ['sign-string', '--private-key', at('ml-dsa-44.key'), '--format', 'text'];
    const { stdout } = await run(words, { node });
    const message = Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1');
    expect(verifyMlDsa(makeMlDsaKeys('ml-dsa-44'), message, Buffer.from(stdout, 'hex'))).toBe(true);
  });
});
