import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { runProgram, run } from '../support/command.ts';
import { commandWords } from '../support/emulator-process.ts';
import { derOf, fixture, fixturePath } from '../support/fixtures.ts';
import { X509Certificate } from 'node:crypto';

const key = (name: string): string[] => ['--private-key', fixturePath(`leaf/${name}.pkcs8.pem`)];
const sign = (...words: readonly string[]) => run(['sign-string', ...words]);
const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');

/** The old helper's fixed string, as its source says it is made. */
function fixedString(name: string): Buffer {
  const { publicKey } = new X509Certificate(fixture(`leaf/${name}.pem`));
  const bytes = name.startsWith('rsa')
    ? publicKey.export({ format: 'der', type: 'pkcs1' })
    : publicKey
        .export({ format: 'der', type: 'spki' })
        .subarray(-(2 * (name === 'p-256' ? 32 : name === 'p-384' ? 48 : 66) + 1));
  const hash = createHash('sha256').update('IAM RA').update(bytes).digest();
  return Buffer.concat([Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1'), hash]);
}

describe('sign-string', () => {
  // RSA signatures are always the same: these are hashes of what the old helper printed, byte by byte.
  it.each([
    ['SHA256', 'json', '9b7c65bacc6cb4aeb4299f12de34b3252a8571e286bf211b397dc0ac735a80bb'],
    ['SHA256', 'text', 'b28c34fd313efdb932e00013188ea440d520e66e3eb06fffe13b3de74dd518bf'],
    ['SHA256', 'bin', 'c0c0989235ff91400e4e09b7e6fa87258c7337dac3e57e1b49ceb46894889499'],
    ['SHA384', 'json', '23d6edba06d9c49b49674b2e08d40bb7da2ff63579aeb3cc576b10caffa753c4'],
    ['SHA384', 'text', '9ebf02c245468a4794916005cdcf8df73af3c6a034a72f3eebe1cb6da8543b48'],
    ['SHA384', 'bin', '3b68311535631116ac395b7fe7485a60ad5f19723caa0d32bc61b6ed327a8a6a'],
    ['SHA512', 'json', '98cc12400857a0401a3e35ff48993e4147589da78c0ae10578cc207f2ad0afae'],
    ['SHA512', 'text', 'bdb20798a4142db0b218a4f360b9aa29c5b78c8fbebdbba120442ee3ebc2c981'],
    ['SHA512', 'bin', 'be4afa96b73493741fc48f693d960ceae5304b84322b5366c5844d1908316412'],
  ])('prints what the old helper prints, %s as %s', async (digest, format, expected) => {
    // Bytes are no UTF-8: print them in hexadecimal on the way.
    const words = ['sign-string', ...key('rsa-2048'), '--digest', digest, '--format', format];
    const line = [...commandWords(), ...words].map((word) => `'${word}'`).join(' ');
    const { stdout } = await runProgram('sh', ['-c', `${line} 2>/dev/null | sha256sum`]);
    expect(stdout.slice(0, 64)).toBe(expected);
  });

  it.each(['rsa-2048', 'rsa-8192', 'p-256', 'p-384', 'p-521'])('signs with %s', async (name) => {
    for (const digest of ['SHA256', 'SHA384', 'SHA512']) {
      const { code, stdout } = await sign(...key(name), '--digest', digest, '--format', 'text');
      expect(code).toBe(0);
      expect(stdout).toMatch(/^[\da-f]+$/);
      const publicKey = new X509Certificate(fixture(`leaf/${name}.pem`)).publicKey;
      expect(verify(digest, fixedString(name), publicKey, Buffer.from(stdout, 'hex'))).toBe(true);
    }
  });

  it('is JSON and SHA-256 unless told otherwise', async () => {
    const { stdout } = await sign(...key('rsa-2048'));
    const text = JSON.parse(stdout) as string;
    expect(stdout).toBe(`"${text}"`);
    const publicKey = createPublicKey(fixture('leaf/rsa-2048.pem'));
    expect(verify('SHA256', fixedString('rsa-2048'), publicKey, Buffer.from(text, 'hex'))).toBe(true);
  });

  it("needs no certificate, and takes no other key's; an expired one will do", async () => {
    const certificate = ['--certificate', fixturePath('leaf/rsa-2048.pem')];
    const [alone, beside] = [await sign(...key('rsa-2048')), await sign(...key('rsa-2048'), ...certificate)];
    expect(alone.stdout).toBe(beside.stdout);
    expect((await sign(...key('p-256'), ...certificate)).code).toBe(3);
    const expired = [
      '--certificate',
      fixturePath('unsuitable/expired.pem'),
      '--private-key',
      fixturePath('unsuitable/key.pem'),
    ];
    expect((await sign(...expired)).code).toBe(0);
  });

  it.each([
    ['without anything', [], 2],
    ['with another digest', [...key('p-256'), '--digest', 'SHA1'], 2],
    ['with another format', [...key('p-256'), '--format', 'xml'], 2],
    ['with a certificate alone', ['--certificate', fixturePath('leaf/p-256.pem')], 2],
    ['with a missing key', ['--private-key', '/absent'], 3],
  ])('is refused %s', async (_, words, expected) => {
    const { code, stdout } = await sign(...words);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
  });
});

it('the fixtures are those that the hashes above were made with', () => {
  expect(sha256(derOf(fixture('leaf/rsa-2048.pem')).toString('latin1'))).toBe(
    '2d6aa3b666a60fd5ef666bad7b2a65e7815f6e4ce36970542b77e56aa8f54691',
  );
});
