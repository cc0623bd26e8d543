import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../src/certificate/certificate.ts';
import {
  derBytes,
  derElement,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../../src/encoding/der.ts';
import { RolesAnywhereError } from '../../../src/errors.ts';
import { KeyObjectSigner } from '../../../src/key/file/key-object-signer.ts';
import { holdsPrivateKey, openKeyFile } from '../../../src/key/file/open.ts';
import type { Digest, Signer } from '../../../src/key/signer.ts';
import { expectCode } from '../../support/errors.ts';
import { derOf, fixture, fixtures } from '../../support/fixtures.ts';
import { toPem } from '../../support/pki.ts';

const open = (bytes: Uint8Array | string): Promise<Signer> =>
  openKeyFile({ bytes: Buffer.from(bytes), name: 'test.key', exposed: false }, undefined);
const publicKeyOf = (name: string): Buffer =>
  Buffer.from(parseCertificate(derOf(fixture(`leaf/${name}.pem`))).publicKey);
const expectSigns = async (signer: Signer, digest?: Digest): Promise<void> => {
  const message = Buffer.from('message');
  const signature = await signer.sign(message, digest);
  const key = createPublicKey({ key: Buffer.from(signer.publicKey), format: 'der', type: 'spki' });
  expect(verify(digest ?? 'SHA256', message, key, signature)).toBe(true);
};

const keyFiles = fixtures('leaf').filter((name) => /\.(pkcs1|pkcs8|sec1|with-parameters)\./.test(name));

describe('keys in every format', () => {
  it('are all there', () => {
    expect(keyFiles).toHaveLength(14);
  });

  it.each(keyFiles)('%s opens, and is the key of its certificate', async (file) => {
    const [name = ''] = file.replace('leaf/', '').split('.');
    const signer = await open(fixture(file));
    expect(signer.keyType).toBe(name.startsWith('rsa') ? 'rsa' : 'ec');
    expect(Buffer.from(signer.publicKey)).toEqual(publicKeyOf(name));
    await expectSigns(signer);
  });

  const pkcs8 = fixture('leaf/p-256.pkcs8.pem').toString();
  const sec1 = fixture('leaf/p-256.sec1.der');
  const certificate = fixture('leaf/p-256.pem').toString();

  it.each([
    ['with CRLF', pkcs8.replaceAll('\n', '\r\n')],
    ['with a byte-order mark', `\ufeff${pkcs8}`],
    ['in UTF-16', Buffer.from(`\ufeff${pkcs8}`, 'utf16le')],
    [
      'with text around it',
      `Bag Attributes\n    friendlyName: x\nKey Attributes: <No Attributes>\n${pkcs8}# end`,
    ],
    ['behind its certificate', certificate + pkcs8],
    ['in front of its certificate', pkcs8 + certificate],
    ['without a final line end', pkcs8.trimEnd()],
    ['with a label that does not fit', toPem('PRIVATE KEY', sec1)],
    ['with a label that fits it even less', toPem('RSA PRIVATE KEY', sec1)],
  ])('a key %s opens', async (_, bytes) => {
    expect(Buffer.from((await open(bytes)).publicKey)).toEqual(publicKeyOf('p-256'));
  });

  it.each([
    ['P-256', '1.2.840.10045.3.1.7'],
    ['P-384', '1.3.132.0.34'],
    ['P-521', '1.3.132.0.35'],
  ])('a SEC1 key on %s needs no more than its secret and the name of the curve', async (namedCurve, oid) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    const secret = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    const parameters = derObjectIdentifier(oid);
    const bare = derBytes(derSequence(derInteger(1n), derOctetString([secret])));
    const algorithm = derSequence(derObjectIdentifier('1.2.840.10045.2.1'), parameters);
    for (const file of [
      toPem('EC PARAMETERS', derBytes(parameters)) + toPem('EC PRIVATE KEY', bare),
      toPem('EC PRIVATE KEY', bare) + toPem('EC PARAMETERS', derBytes(parameters)),
      derBytes(derSequence(derInteger(0n), algorithm, derOctetString([bare]))),
    ]) {
      const signer = await open(file);
      expect(Buffer.from(signer.publicKey)).toEqual(spki);
      await expectSigns(signer);
    }
    await expectCode(() => open(bare), 'KEY_INVALID');
  });

  it("a public key that stands in the file and is not the secret's is not believed", async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-65);
    const forged = Buffer.concat([sec1.subarray(0, -65), point]);
    expect(forged).toHaveLength(sec1.length);
    // OpenSSL believes it:
    const believed = createPublicKey(createPrivateKey({ key: forged, format: 'der', type: 'sec1' }));
    expect(believed.equals(publicKey)).toBe(true);
    expect(Buffer.from((await open(forged)).publicKey)).toEqual(publicKeyOf('p-256'));
  });
});

describe('signing', () => {
  it.each(['rsa-2048', 'p-256', 'p-384', 'p-521'])('%s by SHA-256 unless told otherwise', async (name) => {
    const signer = await open(fixture(`leaf/${name}.pkcs8.pem`));
    await expectSigns(signer);
    for (const digest of ['SHA256', 'SHA384', 'SHA512'] as const) await expectSigns(signer, digest);
  });

  it('fails once the key is disposed of', async () => {
    const signer = await open(fixture('leaf/p-256.pkcs8.pem'));
    await signer[Symbol.asyncDispose]();
    await signer[Symbol.asyncDispose]();
    await expectCode(() => signer.sign(Buffer.from('x')), 'SIGNING_FAILED');
  });

  it('fails in our words where OpenSSL cannot sign', async () => {
    // An RSA key whose modulus is even: OpenSSL imports it, and finds out when it computes.
    const der = Buffer.from(fixture('leaf/rsa-2048.pkcs1.der'));
    const modulusEnd = 4 + 3 + 4 + 257;
    der[modulusEnd - 1] = 0;
    await expectCode(async () => (await open(der)).sign(Buffer.from('x')), 'SIGNING_FAILED');
  });

  it('wipes the bytes that a key was imported from, usable or not', () => {
    const der = Buffer.from(fixture('leaf/p-256.pkcs8.der'));
    expect(new KeyObjectSigner({ keyType: 'ec', type: 'pkcs8', der }).keyType).toBe('ec');
    expect(der.every((byte) => byte === 0)).toBe(true);
    const bad = Buffer.from('not a key');
    expect(() => new KeyObjectSigner({ keyType: 'ec', type: 'pkcs8', der: bad })).toThrow();
    expect(bad.every((byte) => byte === 0)).toBe(true);
  });

  it('shows no key when a signer is printed', async () => {
    const signer = await open(fixture('leaf/p-256.pkcs8.pem'));
    const secret = createPrivateKey(fixture('leaf/p-256.pkcs8.pem')).export({ format: 'jwk' }).d;
    expect(JSON.stringify(signer)).not.toContain(secret);
    expect(Object.keys(signer).sort()).toEqual(['keyType', 'publicKey']);
  });
});

describe('what is no key that we can sign with is refused by its name', () => {
  it.each([
    ['ed25519', 'Ed25519'],
    ['ed448', 'Ed448'],
    ['x25519', 'X25519'],
    ['rsa-pss', 'RSA-PSS'],
    ['rsa-1024', '1024'],
    ['secp256k1', 'secp256k1'],
    ['brainpool', 'brainpoolP256r1'],
    ['explicit-parameters', 'explicit parameters'],
    ['dsa', 'DSA'],
    ['dsa.traditional', 'DSA'],
    ['dh', 'DH'],
  ])('%s', async (name, word) => {
    const pem = fixture(`keys/${name}.pem`);
    for (const bytes of [pem, derOf(pem)]) {
      const error = await expectCode(() => open(bytes), 'KEY_UNSUPPORTED');
      expect(error.message).toContain(word);
      expect(error.message).toContain('test.key');
    }
  });

  it.each([
    ['2.16.840.1.101.3.4.3.20', '2.16.840.1.101.3.4.3.20'],
    ['1.2.3.4', '1.2.3.4'],
  ])('PKCS#8 of type %s', async (oid, word) => {
    const algorithm = derSequence(derObjectIdentifier(oid));
    const der = derBytes(derSequence(derInteger(0n), algorithm, derOctetString([Buffer.alloc(32)])));
    const error = await expectCode(() => open(der), 'KEY_UNSUPPORTED');
    expect(error.message).toContain(word);
  });

  it.each([
    ['encrypted.pkcs8.pem', 'PASSWORD_REQUIRED'],
    ['encrypted.pkcs8.der', 'PASSWORD_REQUIRED'],
    ['encrypted.traditional.pem', 'PASSWORD_REQUIRED'],
    ['public.pem', 'KEY_INVALID'],
  ] as const)('%s', async (name, code) => {
    const error = await expectCode(() => open(fixture(`keys/${name}`)), code);
    expect(error.message).toMatch(/encrypted|PUBLIC KEY/);
  });

  it("OpenSSH's own format, and says how to change it", async () => {
    const error = await expectCode(
      () => open(toPem('OPENSSH PRIVATE KEY', Buffer.from('x'))),
      'KEY_UNSUPPORTED',
    );
    expect(error.message).toContain('OpenSSH');
    expect(error.hint).toContain('ssh-keygen');
  });

  it.each([
    ['a public key', derOf(fixture('keys/public.pem')), 'public key'],
    ['a certificate in DER', fixture('leaf/rsa-2048.der'), 'certificate'],
    ['a certificate in PEM', fixture('leaf/p-256.pem'), 'CERTIFICATE'],
    ['a PKCS#7 file', Buffer.from('300b06092a864886f70d010702', 'hex'), 'PKCS#7'],
    ['text', 'not a key', 'neither PEM nor DER'],
    ['zeros', Buffer.alloc(1000), 'neither PEM nor DER'],
    ['white space', '\n', 'neither PEM nor DER'],
    [
      'base64 that is broken',
      fixture('leaf/p-256.pkcs8.pem').toString().replace('M', '*'),
      'PRIVATE KEY block',
    ],
    [
      'two keys',
      Buffer.concat([fixture('leaf/p-256.pkcs8.pem'), fixture('leaf/p-384.sec1.pem')]),
      '2 private keys',
    ],
  ])('%s', async (_, bytes, word) => {
    const error = await expectCode(() => open(bytes), 'KEY_INVALID');
    expect(error.message).toContain(word);
    expect(error.message).toContain('test.key');
  });

  it('a PKCS#12 file', async () => {
    const der = derBytes(derSequence(derInteger(3n), derSequence()));
    const error = await expectCode(() => open(der), 'KEY_INVALID');
    expect(error.message).toContain('PKCS#12');
  });
});

describe('hostile keys', () => {
  const rsaOf = (...numbers: readonly bigint[]): Uint8Array =>
    derBytes(derSequence(derInteger(0n), ...numbers.map(derInteger)));

  it.each([2047, 8193, 16_384])('an RSA modulus of %d bits is refused by its size', async (bits) => {
    const der = rsaOf(2n ** BigInt(bits - 1) + 1n, 65_537n, 3n, 3n, 3n, 3n, 3n, 3n);
    const error = await expectCode(() => open(der), 'KEY_UNSUPPORTED');
    expect(error.message).toContain(String(bits));
  });

  it('an RSA key with an absurd number, too few or too many of them is refused', async () => {
    const modulus = 2n ** 2047n + 1n;
    await expectCode(() => open(rsaOf(modulus, 3n, 3n, 2n ** 100_000n, 3n, 3n, 3n, 3n)), 'KEY_INVALID');
    await expectCode(() => open(rsaOf(modulus, 3n, 3n)), 'KEY_INVALID');
    await expectCode(() => open(rsaOf(modulus, 3n, 3n, 3n, 3n, 3n, 3n, 3n, 3n)), 'KEY_INVALID');
  });

  it.each([
    ['zero', Buffer.alloc(32)],
    ['nothing', Buffer.alloc(0)],
    [
      'the order of the curve',
      Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex'),
    ],
    ['as long as a file may be', Buffer.alloc(500_000, 1)],
  ])('an EC key whose secret is %s is refused', async (_, secret) => {
    const parameters = derElement(0xa0, derObjectIdentifier('1.2.840.10045.3.1.7'));
    const der = derBytes(derSequence(derInteger(1n), derOctetString([secret]), parameters));
    await expectCode(() => open(der), 'KEY_INVALID');
  });

  it.each([
    'leaf/rsa-2048.pkcs8.der',
    'leaf/rsa-2048.pkcs1.der',
    'leaf/p-256.pkcs8.der',
    'leaf/p-256.sec1.der',
  ])('every beginning of %s is refused', async (file) => {
    const der = fixture(file);
    for (let length = 0; length < der.length; length += 1) {
      await expectCode(() => open(der.subarray(0, length)), 'KEY_INVALID');
    }
    await expectCode(() => open(Buffer.concat([der, Buffer.of(0)])), 'KEY_INVALID');
  });

  it.each(['leaf/rsa-2048.pkcs8.der', 'leaf/p-256.pkcs8.der', 'leaf/p-256.sec1.der'])(
    '%s with any bytes changed opens or is refused in our words',
    async (file) => {
      const der = fixture(file);
      const flip = fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }));
      // The structure stands at the beginning: half of the changes go there.
      const early = fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 255 }));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.oneof(flip, early), { minLength: 1, maxLength: 3 }), async (flips) => {
          const bytes = Buffer.from(der);
          for (const [offset, mask] of flips) bytes[offset] = (bytes[offset] ?? 0) ^ mask;
          try {
            await (await open(bytes)).sign(Buffer.from('x'));
          } catch (error) {
            expect(error).toBeInstanceOf(RolesAnywhereError);
          }
        }),
        { numRuns: 400 },
      );
    },
  );
});

it('holdsPrivateKey knows keys of every kind, and nothing else', () => {
  expect(holdsPrivateKey(fixture('leaf/p-256.sec1.pem'))).toBe(true);
  expect(holdsPrivateKey(fixture('leaf/p-256.sec1.der'))).toBe(true);
  expect(holdsPrivateKey(fixture('keys/encrypted.pkcs8.pem'))).toBe(true);
  expect(holdsPrivateKey(fixture('leaf/p-256.pem'))).toBe(false);
  expect(holdsPrivateKey(fixture('leaf/rsa-2048.der'))).toBe(false);
  expect(holdsPrivateKey(fixture('keys/public.pem'))).toBe(false);
});
