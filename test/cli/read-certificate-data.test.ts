import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.ts';
import { derOf, fixture, fixturePath } from '../support/fixtures.ts';
import { certify, makeMlDsaKeys } from '../support/ml-dsa.ts';
import { issue, makeAuthority, toPem } from '../support/pki.ts';
import { requirePart } from '../support/system-parts.ts';

const root = makeAuthority({ name: 'root', keyType: 'rsa-2048' });
const first = issue(root, { name: 'first', serial: 0x2a0005n });
const second = issue(root, { name: 'second', serial: 0xff_ffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff_ffffn });
let folder = '';
const file = (name: string): string => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'certificate data-'));
  await writeFile(file('bundle.pem'), first.certificatePem + root.certificatePem + second.certificatePem);
  await writeFile(file('first.pem'), first.certificatePem);
  await writeFile(file('first.key'), first.privateKeyPem);
});

afterAll(() => rm(folder, { recursive: true }));

const read = (...words: readonly string[]) => run(['read-certificate-data', ...words]);

async function serials(...words: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await read(...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { serialNumber: string }).serialNumber);
}

describe('of one certificate', () => {
  // What the old helper printed, byte by byte: no spaces, no line end.
  it.each([
    ['rsa-2048', 'RSA'],
    ['p-256', 'EC'],
    ['p-521', 'EC'],
  ])("%s, the old helper's output", async (name, keyType) => {
    const pem = fixture(`leaf/${name}.pem`);
    const { code, stdout } = await read('--certificate', fixturePath(`leaf/${name}.pem`));
    const serial = /serial=([\dA-F]+)/.exec(
      execFileSync(requirePart('openssl'), ['x509', '-noout', '-serial'], { input: pem }).toString(),
    )?.[1];
    expect(code).toBe(0);
    expect(stdout).toBe(
      `{"keyType":"${keyType}","certificateData":"${derOf(pem).toString('base64')}",` +
        `"serialNumber":"${BigInt(`0x${serial ?? ''}`)}",` +
        `"supportedAlgorithms":["${keyType}SHA256","${keyType}SHA384","${keyType}SHA512"]}`,
    );
  });

  it('names ML-DSA, and its one algorithm', async () => {
    await writeFile(
      file('ml-dsa.pem'),
      toPem('CERTIFICATE', certify(first, makeMlDsaKeys('ml-dsa-65'), root)),
    );
    const { stdout } = await read('--certificate', file('ml-dsa.pem'));
    expect(JSON.parse(stdout)).toMatchObject({ keyType: 'ML-DSA-65', supportedAlgorithms: ['ML-DSA-65'] });
  });

  it('in DER too', async () => {
    expect(await serials('--certificate', fixturePath('leaf/rsa-2048.der'))).toHaveLength(1);
  });
});

describe('of several', () => {
  const all = [first, root, second].map(({ serial }) => serial.toString());

  it('prints each on its line, in the order of the file', async () => {
    expect(await serials('--certificate', file('bundle.pem'))).toEqual(all);
  });

  it('prints those that match', async () => {
    const bundle = ['--certificate', file('bundle.pem'), '--cert-selector'];
    expect(await serials(...bundle, 'Key=x509Serial,Value=2A:00:05')).toEqual([all[0]]);
    expect(await serials(...bundle, 'Key=x509Issuer,Value=/CN=root')).toEqual(all);
    expect(await serials(...bundle, '{"x509Subject":"cn = SECOND"}')).toEqual([all[2]]);
  });

  it('reads the selector from a file, as editors on Windows save it too', async () => {
    const json = '[{"Key":"x509Subject","Value":"CN=second"}]';
    for (const bytes of [json, `\ufeff${json}`, Buffer.from(`\ufeff${json}`, 'utf16le')]) {
      await writeFile(file('selector.json'), bytes);
      expect(
        await serials(
          '--certificate',
          file('bundle.pem'),
          '--cert-selector',
          `file://${file('selector.json')}`,
        ),
      ).toEqual([all[2]]);
    }
  });

  it('looks into PKCS#12, with its password', async () => {
    const words = ['pkcs12', '-export', '-in', file('first.pem'), '-inkey', file('first.key')];
    await writeFile(file('root.pem'), root.certificatePem);
    execFileSync(requirePart('openssl'), [
      ...words,
      ...['-certfile', file('root.pem'), '-passout', 'pass:secret', '-out', file('store.p12')],
    ]);
    await writeFile(file('password'), 'secret\n', { mode: 0o600 });
    const found = await serials(
      '--certificate',
      file('store.p12'),
      '--key-password-from',
      `file:${file('password')}`,
    );
    expect(found.toSorted()).toEqual([all[0] ?? '', all[1] ?? ''].toSorted());
  });
});

describe('is refused', () => {
  it.each([
    ['without a certificate', [], 2, '--certificate'],
    [
      'without a certificate but with a selector: a store',
      ['--cert-selector', 'Key=x509Subject,Value=CN=x'],
      2,
      'macOS',
    ],
    ['with a system store', ['--system-store-name', 'MY'], 2, '--system-store-name'],
    [
      'with a broken selector',
      ['--certificate', fixturePath('leaf/p-256.pem'), '--cert-selector', 'CN=x'],
      2,
      '--cert-selector',
    ],
    [
      'of a selector file that is absent',
      ['--certificate', fixturePath('leaf/p-256.pem'), '--cert-selector', 'file:///absent'],
      3,
      'no such file',
    ],
    ...(['', 'Key=x509Subject,Value=CN=nobody'] as const).map(
      (selector) =>
        [
          `with the selector '${selector}'`,
          ['--certificate', fixturePath('leaf/p-256.pem'), '--cert-selector', selector],
          selector === '' ? 2 : 3,
          selector === '' ? 'empty' : 'serial',
        ] as const,
    ),
    ['of a missing file', ['--certificate', '/absent.pem'], 3, 'no such file'],
    ['of a key', ['--certificate', fixturePath('leaf/p-256.pkcs8.pem')], 3, 'no certificate'],
  ] as const)('%s', async (_, words, expected, word) => {
    const { code, stdout, stderr } = await read(...words);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toContain(word);
  });
});
