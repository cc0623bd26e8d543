import { execFileSync } from 'node:child_process';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { issue, makeAuthority } from './pki.ts';
import { requirePart } from './system-parts.ts';

const directory = mkdtempSync(join(tmpdir(), 'pki-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe('the certificates that tests make', () => {
  it('form a path that OpenSSL accepts to the letter', () => {
    const root = makeAuthority({ keyType: 'P-384' });
    const intermediate = makeAuthority({ issuer: root, keyType: 'rsa-2048', pathLength: 0 });
    const leaf = issue(intermediate, {
      extendedKeyUsage: ['clientAuth'],
      alternativeNames: ['a.example', 'IP:127.0.0.1'],
    });
    const file = (name: string, pem: string) => {
      writeFileSync(join(directory, name), pem);
      return join(directory, name);
    };
    const output = execFileSync(requirePart('openssl'), [
      ...['verify', '-x509_strict', '-purpose', 'sslclient'],
      ...['-CAfile', file('root.pem', root.certificatePem)],
      ...['-untrusted', file('intermediate.pem', intermediate.certificatePem)],
      file('leaf.pem', leaf.certificatePem),
    ]);
    expect(output.toString()).toContain('OK');
    const parsed = new X509Certificate(leaf.certificatePem);
    expect(parsed.checkPrivateKey(createPrivateKey(leaf.privateKeyPem))).toBe(true);
    expect(parsed.subjectAltName).toBe('DNS:a.example, IP Address:127.0.0.1');
    expect(BigInt(`0x${parsed.serialNumber}`)).toBe(leaf.serial);
  });
});
