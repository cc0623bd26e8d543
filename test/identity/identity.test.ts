import { createPublicKey, verify } from 'node:crypto';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { openIdentity } from '../../src/identity/identity.ts';
import type { Identity } from '../../src/identity/identity.ts';
import type { IdentityOptions } from '../../src/identity/options.ts';
import { KeyObjectSigner } from '../../src/key/file/key-object-signer.ts';
import { expectCode } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import type { Issued } from '../support/pki.ts';

const directory = mkdtempSync(join(tmpdir(), 'identity '));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

let count = 0;
const file = (...contents: readonly (string | Uint8Array)[]): string => {
  const path = join(directory, `${(count += 1)}`);
  writeFileSync(path, Buffer.concat(contents.map((content) => Buffer.from(content))));
  chmodSync(path, 0o600);
  return path;
};
const chainOf = ({ chain }: Identity): string[] => chain.map(({ der }) => Buffer.from(der).toString('hex'));
const list = (...issued: readonly Issued[]): string[] =>
  issued.map(({ certificateDer }) => certificateDer.toString('hex'));

const root = makeAuthority({ name: 'root' });
const middle = makeAuthority({ name: 'middle', issuer: root });
const issuing = makeAuthority({ name: 'issuing', issuer: middle });
const leaf = issue(issuing);
const stranger = issue(makeAuthority({ name: 'stranger' }));
const { certificatePem: pem, privateKeyPem: key } = leaf;

const expectLeaf = async (options: IdentityOptions, ...chain: readonly Issued[]): Promise<Identity> => {
  const identity = await openIdentity(options);
  expect(Buffer.from(identity.certificate.der)).toEqual(leaf.certificateDer);
  expect(chainOf(identity)).toEqual(list(...chain));
  const signature = await identity.signer.sign(Buffer.from('message'));
  const publicKey = createPublicKey(leaf.keys.privateKey);
  expect(verify('SHA256', Buffer.from('message'), publicKey, signature)).toBe(true);
  return identity;
};

describe('where the key and the certificate stand', () => {
  it('in two files, PEM or DER', async () => {
    const der = leaf.keys.privateKey.export({ format: 'der', type: 'sec1' });
    await expectLeaf({ certificate: file(pem), privateKey: file(key) });
    await expectLeaf({ certificate: file(leaf.certificateDer), privateKey: file(der) });
  });

  it('in one file, named once or twice', async () => {
    const both = file(key, pem);
    await expectLeaf({ certificate: both, privateKey: both });
    await expectLeaf({ certificate: both });
    await expectLeaf({ privateKey: both });
    await expectLeaf({ privateKey: file(pem, issuing.certificatePem, key) }, issuing);
  });

  it('in one stream that can be read only once', async () => {
    for (const options of [['certificate', 'privateKey'], ['certificate'], ['privateKey']] as const) {
      const descriptor = openSync(file(pem, key), 'r');
      await expectLeaf(Object.fromEntries(options.map((option) => [option, `fd:${descriptor}`])));
      closeSync(descriptor);
    }
  });

  it('in variables', async () => {
    vi.stubEnv('TEST_CERTIFICATE', pem);
    vi.stubEnv('TEST_KEY', key.trimEnd().replaceAll('\n', '\\n'));
    await expectLeaf({ certificate: 'env:TEST_CERTIFICATE', privateKey: 'env:TEST_KEY' });
  });

  it('the real files of OpenSSL', async () => {
    const identity = await openIdentity({
      certificate: fixturePath('leaf/p-384.pem'),
      privateKey: fixturePath('leaf/p-384.sec1.pem'),
      intermediates: fixturePath('authority/intermediate.pem'),
    });
    expect(identity.chain).toHaveLength(1);
    expect(identity.certificate.serialNumber.toString(16)).toMatch(/^7f{35}\d{4}$/);
  });
});

describe('bundles', () => {
  it('the leaf is found and the issuers are ordered, wherever they stand', async () => {
    const bundle = [root, stranger, middle, leaf, issuing, leaf].map(({ certificatePem }) => certificatePem);
    await expectLeaf({ certificate: file(...bundle), privateKey: file(key) }, issuing, middle);
    await expectLeaf({ certificate: file(...bundle.toReversed()), privateKey: file(key) }, issuing, middle);
  });

  it.each(['PEM', 'DER'])('--intermediates in %s are merged with what the bundle holds', async (format) => {
    const contents = [middle, root, stranger, issuing, leaf].map((issued) =>
      format === 'PEM' ? issued.certificatePem : issued.certificateDer,
    );
    const privateKey = file(key);
    const intermediates = file(...contents);
    await expectLeaf({ certificate: file(pem), privateKey, intermediates }, issuing, middle);
    await expectLeaf(
      { certificate: file(pem, issuing.certificatePem), privateKey, intermediates },
      issuing,
      middle,
    );
  });

  it('the leaf is not looked for among the intermediates', async () => {
    const options = {
      certificate: file(issuing.certificatePem),
      privateKey: file(key),
      intermediates: file(pem),
    };
    await expectCode(() => openIdentity(options), 'KEY_CERTIFICATE_MISMATCH');
  });

  it('a chain that is too long is refused', async () => {
    const path = [root];
    for (let depth = 0; depth < 6; depth += 1)
      path.push(makeAuthority({ name: `${depth}`, issuer: path[depth] ?? root }));
    const end = issue(path[6] ?? root);
    const certificate = file(end.certificatePem, ...path.map(({ certificatePem }) => certificatePem));
    await expectCode(
      () => openIdentity({ certificate, privateKey: file(end.privateKeyPem) }),
      'CHAIN_TOO_LONG',
    );
  });

  it('an issuer that is not valid now is told of', async () => {
    const expired = makeAuthority({ issuer: root, notBefore: new Date(0), notAfter: new Date(1e12) });
    const end = issue(expired);
    const warn = vi.fn();
    const identity = await openIdentity({
      certificate: file(end.certificatePem, expired.certificatePem),
      privateKey: file(end.privateKeyPem),
      reporter: { warn, debug: () => undefined },
    });
    expect(chainOf(identity)).toEqual(list(expired));
    expect(warn).toHaveBeenCalledOnce();
  });
});

describe('what is missing is named exactly', () => {
  it.each([
    ['nothing given', {}, '--certificate'],
    ['no key beside the certificate', { certificate: file(pem) }, '--private-key'],
    ['no key beside a DER certificate', { certificate: file(leaf.certificateDer) }, '--private-key'],
    ['no certificate beside the key', { privateKey: file(key) }, '--certificate'],
    [
      'no certificate beside a DER key',
      { privateKey: fixturePath('leaf/rsa-2048.pkcs1.der') },
      '--certificate',
    ],
    [
      'no certificate beside an EC key in DER',
      { privateKey: fixturePath('leaf/p-256.sec1.der') },
      '--certificate',
    ],
    ['intermediates alone', { intermediates: file(issuing.certificatePem) }, '--certificate'],
  ])('%s', async (_, options, option) => {
    const error = await expectCode(() => openIdentity(options), 'INVALID_ARGUMENT');
    expect(error.message).toContain(`${option} is missing`);
  });

  it('an option that is empty is named', async () => {
    const error = await expectCode(
      () => openIdentity({ certificate: file(pem), privateKey: '' }),
      'INVALID_ARGUMENT',
    );
    expect(error.message).toContain('--private-key');
  });
});

describe('what does not fit', () => {
  const certificate = file(pem);
  const privateKey = file(key);

  it.each([
    [
      "another certificate's key",
      { certificate, privateKey: file(stranger.privateKeyPem) },
      'KEY_CERTIFICATE_MISMATCH',
    ],
    [
      'no certificate of the key in a bundle',
      { certificate: file(issuing.certificatePem, root.certificatePem), privateKey },
      'KEY_CERTIFICATE_MISMATCH',
    ],
    ['a missing certificate', { certificate: join(directory, 'none'), privateKey }, 'CERTIFICATE_UNREADABLE'],
    ['a missing key', { certificate, privateKey: join(directory, 'none') }, 'KEY_UNREADABLE'],
    [
      'missing intermediates',
      { certificate, privateKey, intermediates: join(directory, 'none') },
      'CERTIFICATE_UNREADABLE',
    ],
    ['an empty certificate', { certificate: file(), privateKey }, 'CERTIFICATE_INVALID'],
    ['an empty key', { certificate, privateKey: file() }, 'KEY_INVALID'],
    ['empty intermediates', { certificate, privateKey, intermediates: file() }, 'CERTIFICATE_INVALID'],
    ['a key as the certificate', { certificate: privateKey, privateKey }, 'CERTIFICATE_INVALID'],
    ['a certificate as the key', { certificate, privateKey: certificate }, 'KEY_INVALID'],
    ['a key as intermediates', { certificate, privateKey, intermediates: privateKey }, 'CERTIFICATE_INVALID'],
    [
      'a certificate that is cut off',
      { certificate: file(pem.slice(0, 200)), privateKey },
      'CERTIFICATE_INVALID',
    ],
    [
      'an encrypted key',
      { certificate, privateKey: fixturePath('keys/encrypted.pkcs8.pem') },
      'PASSWORD_REQUIRED',
    ],
    [
      'an encrypted key beside its certificate',
      { certificate: file(pem, readFileSync(fixturePath('keys/encrypted.pkcs8.pem'))) },
      'PASSWORD_REQUIRED',
    ],
    ['a URI that is none', { certificate, privateKey: 'pkcs11:object?pin-value=1234' }, 'INVALID_ARGUMENT'],
    ['a URI that is none alone', { privateKey: 'pkcs11:object?pin-value=1234' }, 'INVALID_ARGUMENT'],
    [
      'an expired certificate',
      { certificate: fixturePath('unsuitable/expired.pem'), privateKey: fixturePath('unsuitable/key.pem') },
      'CERTIFICATE_EXPIRED',
    ],
    [
      'a CA',
      { certificate: fixturePath('unsuitable/authority.pem'), privateKey: fixturePath('unsuitable/key.pem') },
      'CERTIFICATE_UNSUITABLE',
    ],
  ] as const)('%s is refused', async (_, options, code) => {
    const error = await expectCode(() => openIdentity(options), code);
    expect(`${error.message} ${error.hint ?? ''}`).not.toContain('1234');
  });

  it('the clock is the one that was given', async () => {
    const late = () => new Date(Date.now() + 10 * 86_400_000);
    await expectCode(() => openIdentity({ certificate, privateKey, now: late }), 'CERTIFICATE_EXPIRED');
  });

  it('the key is closed again when a later step fails', async () => {
    const dispose = vi.spyOn(KeyObjectSigner.prototype, Symbol.asyncDispose);
    await expectCode(
      () => openIdentity({ certificate, privateKey: file(stranger.privateKeyPem) }),
      'KEY_CERTIFICATE_MISMATCH',
    );
    expect(dispose).toHaveBeenCalledOnce();
  });
});

describe('an open identity', () => {
  it('closes its key when it is disposed of', async () => {
    const identity = await expectLeaf({ certificate: file(pem), privateKey: file(key) });
    await identity[Symbol.asyncDispose]();
    await expectCode(() => identity.signer.sign(Buffer.from('x')), 'SIGNING_FAILED');
  });

  it('warns of a key that every user can read, and says nothing of a certificate', async () => {
    const warn = vi.fn();
    const certificate = file(pem);
    const privateKey = file(key);
    const open = () => openIdentity({ certificate, privateKey, reporter: { warn, debug: () => undefined } });
    chmodSync(certificate, 0o644);
    await open();
    expect(warn).not.toHaveBeenCalled();
    chmodSync(privateKey, 0o644);
    await open();
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]?.join(' ')).toMatch(/chmod 600/);
  });
});
