import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openIdentity } from '../../src/identity/identity.ts';
import { fixture, fixturePath } from '../support/fixtures.ts';
import { issue, makeAuthority, toPem } from '../support/pki.ts';
import { requirePart } from '../support/system-parts.ts';

const directory = mkdtempSync(join(tmpdir(), 'identity-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
};
const openssl = (...words: string[]): string => execFileSync(requirePart('openssl'), words).toString();

describe('OpenSSL verifies what we sign', () => {
  it.each([
    'rsa-2048.pkcs1',
    'rsa-8192.pkcs8',
    'p-256.sec1',
    'p-256.with-parameters',
    'p-384.sec1',
    'p-521.pkcs8',
  ])('%s', async (key) => {
    const [name = ''] = key.split('.');
    const certificate = fixturePath(`leaf/${name}.pem`);
    await using identity = await openIdentity({ certificate, privateKey: fixturePath(`leaf/${key}.pem`) });
    const message = write('message', 'a string to sign');
    for (const digest of ['SHA256', 'SHA384', 'SHA512'] as const) {
      const signature = write(
        'signature',
        await identity.signer.sign(Buffer.from('a string to sign'), digest),
      );
      const publicKey = write('public.pem', toPem('PUBLIC KEY', identity.certificate.publicKey));
      const output = openssl('dgst', `-${digest}`, '-verify', publicKey, '-signature', signature, message);
      expect(output).toContain('Verified OK');
    }
  });
});

describe('a chain that we put in order', () => {
  it('is one that OpenSSL verifies', async () => {
    const root = makeAuthority();
    const middle = makeAuthority({ name: 'middle', issuer: root, keyType: 'rsa-2048' });
    const issuing = makeAuthority({ name: 'issuing', issuer: middle });
    const leaf = issue(issuing);
    const bundle = [middle, root, leaf, issuing].map(({ certificatePem }) => certificatePem).join('');
    const certificate = write('bundle.pem', bundle + leaf.privateKeyPem);
    await using identity = await openIdentity({ certificate });
    const chain = identity.chain.map(({ der }) => toPem('CERTIFICATE', der)).join('');
    const output = openssl(
      ...['verify', '-x509_strict', '-CAfile', write('root.pem', root.certificatePem)],
      ...['-untrusted', write('chain.pem', chain), write('leaf.pem', leaf.certificatePem)],
    );
    expect(output).toContain('OK');
    expect(identity.chain).toHaveLength(2);
  });
});

describe('fixtures/generate.sh', () => {
  it('has nothing left to make', () => {
    const before = readFileSync(fixturePath('leaf/p-256.pem'));
    const output = execFileSync('sh', [fixturePath('generate.sh')]);
    expect(output.toString()).toBe('');
    expect(readFileSync(fixturePath('leaf/p-256.pem'))).toEqual(before);
  });
});

describe('standard input', () => {
  const probe = join(directory, 'probe.mjs');
  beforeAll(async () => {
    await build({
      stdin: {
        contents: `
          import { openIdentity } from './src/identity/identity.ts';
          const { certificate, signer } = await openIdentity(JSON.parse(process.argv[2])).catch((error) => {
            console.log(error.code);
            process.exit();
          });
          const signature = await signer.sign(Buffer.from('x'));
          console.log(certificate.serialNumber.toString(16), signature.length > 60);`,
        resolveDir: process.cwd(),
      },
      ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20.19', outfile: probe },
    });
  });

  const both = Buffer.concat([fixture('leaf/p-256.pem'), fixture('leaf/p-256.sec1.pem')]);
  const run = async (options: object, ...parts: Uint8Array[]): Promise<string> => {
    const child = spawn(process.execPath, [probe, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.on('error', () => undefined); // It need not read to the end.
    for (const part of parts) {
      child.stdin.write(part);
      await sleep(50);
    }
    child.stdin.end();
    let output = '';
    for await (const chunk of child.stdout) output += String(chunk);
    return output.trim();
  };

  it.each([
    { certificate: '-' },
    { privateKey: '-' },
    { certificate: '-', privateKey: '-' },
    { certificate: '-', privateKey: 'fd:0' },
  ])('key and certificate in one stream, as %j', async (options) => {
    expect(await run(options, both)).toMatch(/^7f{35}\d{4} true$/);
  });

  it('in small pieces', async () => {
    const pieces = [both.subarray(0, 10), both.subarray(10, 500), both.subarray(500)];
    expect(await run({ certificate: '-' }, ...pieces)).toMatch(/true$/);
  });

  it('closed at once, or endless', async () => {
    expect(await run({ privateKey: '-', certificate: fixturePath('leaf/p-256.pem') })).toBe('KEY_INVALID');
    expect(await run({ certificate: '-' }, Buffer.alloc(3_000_000))).toBe('CERTIFICATE_INVALID');
  });
});
