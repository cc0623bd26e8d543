import { createHash, createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadMlDsa } from '../../../src/certificate/ml-dsa.ts';
import {
  derBytes,
  derInteger,
  derElement,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../../src/encoding/der.ts';
import type { DerPieces } from '../../../src/encoding/der.ts';
import { readMlDsaKey } from '../../../src/emulator/ml-dsa.ts';
import { MlDsaSigner } from '../../../src/key/file/ml-dsa-signer.ts';
import { openKeyFile } from '../../../src/key/file/open.ts';
import type { Signer } from '../../../src/key/signer.ts';
import { Secret } from '../../../src/secret.ts';
import { expectCode } from '../../support/errors.ts';
import { makeMlDsaKeys, mlDsaNames, verifyMlDsa } from '../../support/ml-dsa.ts';
import { encryptPbes2 } from '../../support/pbes.ts';
import { toPem } from '../../support/pki.ts';
import vectors from './vectors/ml-dsa.json' with { type: 'json' };

const open = (bytes: Uint8Array | string): Promise<Signer> =>
  openKeyFile({ bytes: Buffer.from(bytes), name: 'test.key', exposed: false }, () =>
    Promise.resolve(new Secret(Buffer.from('password'))),
  );
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const identifiers: Readonly<Record<string, string>> = {
  'ml-dsa-44': '2.16.840.1.101.3.4.3.17',
  'ml-dsa-65': '2.16.840.1.101.3.4.3.18',
  'ml-dsa-87': '2.16.840.1.101.3.4.3.19',
};
const nameOf = (text: string) => mlDsaNames.find((name) => name === text) ?? 'ml-dsa-44';

describe('ML-DSA by known answers', () => {
  it.each(vectors.keyGen)(
    'makes $name of seed $seed',
    async ({ name, seed, publicKeySha256, secretKeySha256 }) => {
      const keys = makeMlDsaKeys(nameOf(name), Buffer.from(seed, 'hex'));
      expect(sha256(keys.secretKey)).toBe(secretKeySha256);
      const signer = await open(keys.pkcs8.seed);
      expect(sha256(signer.publicKey.subarray(-keys.publicKey.length))).toBe(publicKeySha256);
      expect(Buffer.from(signer.publicKey)).toEqual(Buffer.from(keys.spki));
      const inJavaScript = await MlDsaSigner.open(keys.name, keys.pkcs8.seed);
      expect(Buffer.from(inJavaScript.publicKey)).toEqual(Buffer.from(keys.spki));
    },
  );

  it.each(vectors.sign)("the emulator verifies Wycheproof's $name", ({ name, seed, message, signature }) => {
    const { publicKey } = makeMlDsaKeys(nameOf(name), Buffer.from(seed, 'hex'));
    const key = readMlDsaKey(identifiers[name] ?? '', publicKey);
    const [text, bytes] = [Buffer.from(message, 'hex'), Buffer.from(signature, 'base64')];
    expect(key?.verify(text, bytes)).toBe(true);
    expect(key?.verify(Buffer.from('other'), bytes)).toBe(false);
    expect(key?.verify(text, bytes.subarray(1))).toBe(false);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    expect(key?.verify(text, bytes)).toBe(false);
  });

  it.each(vectors.sign)(
    'signs as Wycheproof does with $name, without randomness',
    async ({ name, seed, message, signature }) => {
      const { secretKey } = makeMlDsaKeys(nameOf(name), Buffer.from(seed, 'hex'));
      const mlDsa = await loadMlDsa(nameOf(name));
      const signed = mlDsa.sign(Buffer.from(message, 'hex'), secretKey, { extraEntropy: false });
      expect(Buffer.from(signed).toString('base64')).toBe(signature);
    },
  );
});

describe.each(mlDsaNames)('a key of %s', (name) => {
  const keys = makeMlDsaKeys(name);
  const message = Buffer.from('the string to sign');

  it.each(['seed', 'expanded', 'both'] as const)(
    'opens as %s, PEM and DER, encrypted and not',
    async (form) => {
      const der = keys.pkcs8[form];
      const encrypted = encryptPbes2(der, Buffer.from('password'));
      for (const file of [
        der,
        toPem('PRIVATE KEY', der),
        encrypted,
        toPem('ENCRYPTED PRIVATE KEY', encrypted),
      ]) {
        const signer = await open(file);
        expect(signer.keyType).toBe(name);
        expect(Buffer.from(signer.publicKey)).toEqual(Buffer.from(keys.spki));
        expect(verifyMlDsa(keys, message, await signer.sign(message))).toBe(true);
        // It signs the message itself, whatever digest is named.
        expect(verifyMlDsa(keys, message, await signer.sign(message, 'SHA512'))).toBe(true);
      }
    },
  );

  it('is held by JavaScript as by OpenSSL', async () => {
    for (const form of ['seed', 'expanded', 'both'] as const) {
      const signer = await MlDsaSigner.open(name, keys.pkcs8[form]);
      expect(Buffer.from(signer.publicKey)).toEqual(Buffer.from(keys.spki));
      expect(verifyMlDsa(keys, message, await signer.sign(message))).toBe(true);
      await signer[Symbol.asyncDispose]();
      await expectCode(() => signer.sign(message), 'SIGNING_FAILED');
    }
  });

  it('is closed when it is disposed of', async () => {
    const signer = await open(keys.pkcs8.seed);
    await signer[Symbol.asyncDispose]();
    await expectCode(() => signer.sign(message), 'SIGNING_FAILED');
  });

  const pkcs8 = (key: DerPieces): Uint8Array =>
    derBytes(
      derSequence(
        derInteger(0n),
        derSequence(derObjectIdentifier(identifiers[name] ?? '')),
        derOctetString(key),
      ),
    );
  const flipped = Uint8Array.from(keys.secretKey);
  flipped[200] = (flipped[200] ?? 0) ^ 1;
  const other = makeMlDsaKeys(name === 'ml-dsa-44' ? 'ml-dsa-65' : 'ml-dsa-44');

  it.each([
    ['a short seed', pkcs8(derElement(0x80, [Buffer.alloc(31)]))],
    ['a long seed', pkcs8(derElement(0x80, [Buffer.alloc(33)]))],
    ['no seed', pkcs8(derElement(0x80))],
    ['a short expanded key', pkcs8(derOctetString([keys.secretKey.subarray(1)]))],
    ['an expanded key of another type', pkcs8(derOctetString([other.secretKey]))],
    ['an expanded key that has been changed', pkcs8(derOctetString([flipped]))],
    [
      "another key's seed",
      pkcs8(derSequence(derOctetString([Buffer.alloc(32, 1)]), derOctetString([keys.secretKey]))),
    ],
    ['nothing', pkcs8([])],
    ['text', pkcs8([Buffer.from('text')])],
  ])('is refused with %s', async (_, der) => {
    const error = await expectCode(() => open(der), 'KEY_INVALID');
    expect(error.message).toContain('test.key');
  });

  it('is refused at every beginning of it', async () => {
    const der = keys.pkcs8.seed;
    for (let length = 0; length < der.length; length += 1) {
      await expectCode(() => open(der.subarray(0, length)), 'KEY_INVALID');
    }
  });
});

it('keeps the key that node:crypto would have made where it knows the type', async () => {
  const keys = makeMlDsaKeys('ml-dsa-65');
  let knows = false;
  try {
    const key = createPrivateKey({ key: Buffer.from(keys.pkcs8.seed), format: 'der', type: 'pkcs8' });
    // Node.js 22 imports it without knowing its type.
    knows = (key.asymmetricKeyType as string | undefined) === keys.name;
  } catch {
    // Older ones do not even import it.
  }
  const signer = await open(keys.pkcs8.seed);
  expect(signer instanceof MlDsaSigner).toBe(!knows);
});
