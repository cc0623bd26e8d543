import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openIdentity, openSigner } from '../../../src/identity/identity.ts';
import type { IdentityOptions } from '../../../src/identity/options.ts';
import { Secret } from '../../../src/secret.ts';
import { expectCode } from '../../support/errors.ts';
import { issue, makeAuthority } from '../../support/pki.ts';
import type { Issued } from '../../support/pki.ts';
import { describeSigner } from '../../support/signer-contract.ts';
import { requirePart } from '../../support/system-parts.ts';

/* Keys and PKCS#12 files as OpenSSL writes them, in every format that it has. */

const password = 'pässwörd 1';
const given = (text: string): Pick<IdentityOptions, 'keyPassword'> => ({
  keyPassword: () => Promise.resolve(new Secret(Buffer.from(text))),
});

const root = makeAuthority();
const issuer = makeAuthority({ issuer: root, keyType: 'rsa-2048' });
const leaves = {
  rsa: issue(issuer, { keyType: 'rsa-2048' }),
  ec: issue(issuer, { keyType: 'P-384' }),
};
let directory: string;
const at = (name: string): string => join(directory, name);
const openssl = (...words: readonly string[]): void => {
  execFileSync(requirePart('openssl'), words, { stdio: 'pipe', env: { PATH: process.env['PATH'] } });
};
/** The file `key` is refused, by the name of its cipher. */
const expectUnsupported = async (cipher: string): Promise<void> => {
  const error = await expectCode(
    () => openSigner({ privateKey: at('key'), ...given('x') }),
    'KEY_UNSUPPORTED',
  );
  expect(error.message).toContain(cipher);
};
const legacy = ['-provider', 'legacy', '-provider', 'default'];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'openssl '));
  for (const [name, { privateKeyPem, certificatePem }] of Object.entries(leaves)) {
    writeFileSync(at(`${name}.key`), privateKeyPem);
    writeFileSync(at(`${name}.pem`), certificatePem);
  }
  writeFileSync(at('chain.pem'), root.certificatePem + issuer.certificatePem);
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

const publicKey = ({ keys }: Issued): Buffer => keys.publicKey.export({ format: 'der', type: 'spki' });

const pkcs8 = [
  ...['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des3'].flatMap((cipher) =>
    ['SHA1', 'SHA224', 'SHA256', 'SHA384', 'SHA512', 'SHA512-224', 'SHA512-256'].map((hash) => [
      ...['-v2', cipher, '-v2prf', `hmacWith${hash}`],
    ]),
  ),
  ['-scrypt'],
  ['-iter', '600000'],
  // PBES1, and PBE of PKCS#12: what OpenSSL wrote before 1.1.
  ...[
    'MD5-DES',
    'SHA1-DES',
    'MD5-RC2-64',
    'SHA1-RC2-64',
    'SHA1-3DES',
    'SHA1-2DES',
    'SHA1-RC2-128',
    'SHA1-RC2-40',
  ].map((scheme) => ['-v1', `PBE-${scheme}`, ...legacy]),
];

describe('encrypted PKCS#8', () => {
  it.each(pkcs8.map((words) => [words.join(' '), words] as const))('opens with %s', async (_, words) => {
    for (const form of ['PEM', 'DER']) {
      openssl(
        'pkcs8',
        '-topk8',
        '-in',
        at('ec.key'),
        ...words,
        ...['-passout', `pass:${password}`, '-outform', form, '-out', at('key')],
      );
      const signer = await openSigner({ privateKey: at('key'), ...given(password) });
      expect(Buffer.from(signer.publicKey)).toEqual(publicKey(leaves.ec));
      await expectCode(() => openSigner({ privateKey: at('key'), ...given('wrong') }), 'PASSWORD_WRONG');
      await expectCode(() => openSigner({ privateKey: at('key') }), 'PASSWORD_REQUIRED');
    }
  });

  it('names the cipher that it does not support', async () => {
    openssl(
      'pkcs8',
      '-topk8',
      '-in',
      at('ec.key'),
      '-v1',
      'PBE-SHA1-RC4-128',
      ...legacy,
      '-passout',
      'pass:x',
      '-out',
      at('key'),
    );
    await expectUnsupported('RC4');
    openssl(
      'pkcs8',
      '-topk8',
      '-in',
      at('ec.key'),
      '-v2',
      'camellia-256-cbc',
      '-passout',
      'pass:x',
      '-out',
      at('key'),
    );
    await expectUnsupported('Camellia');
  });
});

describe('traditional PEM (Proc-Type: 4,ENCRYPTED)', () => {
  it.each(
    ['aes128', 'aes192', 'aes256', 'des3'].flatMap((cipher) => [
      ['rsa', cipher] as const,
      ['ec', cipher] as const,
    ]),
  )('%s opens with %s', async (type, cipher) => {
    openssl(
      type,
      '-in',
      at(`${type}.key`),
      `-${cipher}`,
      ...(type === 'rsa' ? ['-traditional'] : []),
      '-passout',
      `pass:${password}`,
      '-out',
      at('key'),
    );
    expect(readFileSync(at('key'), 'latin1')).toContain('Proc-Type: 4,ENCRYPTED');
    const signer = await openSigner({ privateKey: at('key'), ...given(password) });
    expect(Buffer.from(signer.publicKey)).toEqual(publicKey(leaves[type]));
    for (let count = 0; count < 100; count += 1) {
      await expectCode(
        () => openSigner({ privateKey: at('key'), ...given(`wrong ${count}`) }),
        'PASSWORD_WRONG',
      );
    }
    await expectCode(() => openSigner({ privateKey: at('key') }), 'PASSWORD_REQUIRED');
  });

  it('names the cipher that it does not support', async () => {
    openssl(
      'rsa',
      '-in',
      at('rsa.key'),
      '-camellia256',
      '-traditional',
      '-passout',
      'pass:x',
      '-out',
      at('key'),
    );
    await expectUnsupported('CAMELLIA');
  });
});

describe('PKCS#12', () => {
  const make = (...words: readonly string[]): string => {
    openssl('pkcs12', '-export', ...words, '-out', at('file.p12'));
    return at('file.p12');
  };
  const whole = (): string[] => ['-inkey', at('ec.key'), '-in', at('ec.pem'), '-certfile', at('chain.pem')];
  const protectedBy = (text: string): string[] => ['-passout', `pass:${text}`];

  it.each([
    ["OpenSSL 3's defaults", []],
    ["OpenSSL 1's defaults: RC2-40 and 3DES with SHA-1", ['-legacy']],
    ['RC2-128 and 2-key 3DES', ['-keypbe', 'PBE-SHA1-2DES', '-certpbe', 'PBE-SHA1-RC2-128', '-legacy']],
    ['no integrity check', ['-nomac']],
    ['an open key', ['-keypbe', 'NONE']],
    ['open certificates', ['-certpbe', 'NONE']],
    ['nothing encrypted', ['-keypbe', 'NONE', '-certpbe', 'NONE']],
    ['a MAC with SHA-1', ['-macalg', 'sha1']],
    ['a MAC with SHA-384', ['-macalg', 'sha384']],
    ['a MAC with SHA-512', ['-macalg', 'sha512']],
    ['many iterations', ['-iter', '100000']],
    ['names and identifiers', ['-name', 'a friendly name', '-caname', 'another']],
  ])('opens with %s: the leaf by its key, and the chain without the leaf', async (_, words) => {
    const file = make(...whole(), ...words, ...protectedBy(password));
    for (const options of [
      { certificate: file },
      { privateKey: file },
      { certificate: file, privateKey: file },
    ]) {
      const identity = await openIdentity({ ...options, ...given(password) });
      expect(Buffer.from(identity.certificate.der)).toEqual(leaves.ec.certificateDer);
      expect(identity.chain.map(({ der }) => Buffer.from(der))).toEqual([issuer.certificateDer]);
    }
    await expectCode(() => openIdentity({ certificate: file, ...given('wrong') }), 'PASSWORD_WRONG');
    await expectCode(() => openIdentity({ certificate: file }), 'PASSWORD_REQUIRED');
  });

  it.each([
    ['empty', []],
    ['empty, of old', ['-legacy']],
    ['empty, and nobody checks', ['-nomac']],
    ['none, since nothing is protected', ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac']],
  ])('asks for no password where it is %s', async (_, words) => {
    const file = make(...whole(), ...words, ...protectedBy(''));
    let asked = 0;
    const keyPassword = () => Promise.resolve(new Secret(Buffer.from(`${++asked}`)));
    const identity = await openIdentity({ certificate: file, keyPassword });
    expect(Buffer.from(identity.certificate.der)).toEqual(leaves.ec.certificateDer);
    expect(asked).toBe(0);
  });

  it('asks for a password once', async () => {
    const file = make(...whole(), ...protectedBy(password));
    let asked = 0;
    const keyPassword = () => {
      asked += 1;
      return Promise.resolve(new Secret(Buffer.from(password)));
    };
    await openIdentity({ certificate: file, privateKey: file, intermediates: file, keyPassword });
    expect(asked).toBe(1);
  });

  it('may hold the key alone, or certificates alone, and be combined with other files', async () => {
    const keyAlone = make('-nocerts', '-inkey', at('ec.key'), ...protectedBy(password));
    const { certificate } = await openIdentity({
      certificate: at('ec.pem'),
      privateKey: keyAlone,
      ...given(password),
    });
    expect(Buffer.from(certificate.der)).toEqual(leaves.ec.certificateDer);
    await expectCode(() => openIdentity({ privateKey: keyAlone, ...given(password) }), 'INVALID_ARGUMENT');

    const certificates = make(
      '-nokeys',
      '-in',
      at('ec.pem'),
      '-certfile',
      at('chain.pem'),
      ...protectedBy(''),
    );
    const identity = await openIdentity({ certificate: certificates, privateKey: at('ec.key') });
    expect(identity.chain).toHaveLength(1);
    await expectCode(() => openIdentity({ certificate: certificates }), 'INVALID_ARGUMENT');
    await expectCode(
      () => openIdentity({ certificate: at('ec.pem'), privateKey: certificates }),
      'KEY_INVALID',
    );
    const other = await openIdentity({
      certificate: at('ec.pem'),
      privateKey: at('ec.key'),
      intermediates: certificates,
    });
    expect(other.chain).toHaveLength(1);
  });

  it('holds a key that belongs to no certificate: refused', async () => {
    const file = make('-nocerts', '-inkey', at('rsa.key'), ...protectedBy(''));
    await expectCode(
      () => openIdentity({ certificate: at('ec.pem'), privateKey: file }),
      'KEY_CERTIFICATE_MISMATCH',
    );
  });
});

describe("a key exported by AWS Certificate Manager, as its page's commands leave it", () => {
  // acm:ExportCertificate answers Certificate, CertificateChain and PrivateKey: PKCS#8 with PBES2, PBKDF2 and AES-256.
  it.each(['hmacWithSHA1', 'hmacWithSHA256'])('works as exported (%s)', async (prf) => {
    writeFileSync(at('CertificateChain.txt'), issuer.certificatePem + root.certificatePem);
    openssl(
      'pkcs8',
      '-topk8',
      '-in',
      at('rsa.key'),
      '-v2',
      'aes-256-cbc',
      '-v2prf',
      prf,
      '-passout',
      'pass:passphrase',
      '-out',
      at('PrivateKey.txt'),
    );
    const identity = await openIdentity({
      certificate: at('rsa.pem'),
      privateKey: at('PrivateKey.txt'),
      intermediates: at('CertificateChain.txt'),
      ...given('passphrase'),
    });
    expect(Buffer.from(identity.certificate.der)).toEqual(leaves.rsa.certificateDer);
    expect(identity.chain.map(({ der }) => Buffer.from(der))).toEqual([issuer.certificateDer]);
  });
});

describe('every file backend', () => {
  beforeAll(() => {
    openssl(
      'pkcs8',
      '-topk8',
      '-in',
      at('rsa.key'),
      '-passout',
      `pass:${password}`,
      '-out',
      at('encrypted.key'),
    );
    openssl(
      'pkcs12',
      '-export',
      '-inkey',
      at('ec.key'),
      '-in',
      at('ec.pem'),
      '-passout',
      `pass:${password}`,
      '-out',
      at('leaf.p12'),
    );
  });

  describeSigner('PEM', () => ({
    open: () => openSigner({ privateKey: at('rsa.key') }),
    publicKey: publicKey(leaves.rsa),
  }));
  describeSigner('encrypted PEM', () => ({
    open: () => openSigner({ privateKey: at('encrypted.key'), ...given(password) }),
    publicKey: publicKey(leaves.rsa),
  }));
  describeSigner('PKCS#12', () => ({
    open: () => openSigner({ certificate: at('leaf.p12'), ...given(password) }),
    publicKey: publicKey(leaves.ec),
  }));
});
