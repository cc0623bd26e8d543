import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  derElement,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../src/encoding/der.ts';
import { EncodingError, UnsupportedEncodingError } from '../../src/encoding/encoding-error.ts';
import { decryptPrivateKeyInfo } from '../../src/encoding/pkcs8.ts';
import { derOf, fixture } from '../support/fixtures.ts';
import { cipherNames, encryptPbes2, encryptedInfo, prfNames } from '../support/pbes.ts';

const key = derOf(fixture('leaf/p-256.pkcs8.pem'));
const password = Buffer.from('pässwörd');

const unsupported = async (der: Uint8Array): Promise<string> => {
  const error: unknown = await decryptPrivateKeyInfo(der, password).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnsupportedEncodingError);
  return error instanceof Error ? error.message : '';
};

describe('decryptPrivateKeyInfo', () => {
  it('reads every cipher with every pseudo-random function, password, salt and count', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...cipherNames),
        fc.constantFrom(...prfNames),
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 1, max: 50 }),
        async (cipher, prf, secret, salt, iterations) => {
          const der = encryptPbes2(key, secret, { cipher, prf, salt, iterations });
          expect(await decryptPrivateKeyInfo(der, secret)).toEqual(key);
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each(cipherNames)('reads an explicit key length, and takes no other than that of %s', async (cipher) => {
    const length = { '128': 16, '192': 24, '256': 32 }[/\d{3}/.exec(cipher)?.[0] ?? ''] ?? 24;
    const right = encryptPbes2(key, password, { cipher, keyLength: length });
    expect(await decryptPrivateKeyInfo(right, password)).toEqual(key);
    for (const keyLength of [length - 1, length + 1, 1, 1_000_000_000]) {
      const der = encryptPbes2(key, password, { cipher, keyLength });
      await expect(decryptPrivateKeyInfo(der, password)).rejects.toThrow(EncodingError);
    }
  });

  it('reads scrypt beyond the 32 MiB at which Node.js stops', async () => {
    const der = encryptPbes2(key, password, { scrypt: { N: 65_536, r: 8, p: 1 } });
    expect(await decryptPrivateKeyInfo(der, password)).toEqual(key);
  });

  it('reads tags of GCM of every length that RFC 5084 gives, and no shorter one', async () => {
    for (const tagLength of [12, 13, 14, 15, 16]) {
      const der = encryptPbes2(key, password, { cipher: 'aes-256-gcm', tagLength });
      expect(await decryptPrivateKeyInfo(der, password)).toEqual(key);
    }
    const der = encryptPbes2(key, password, { cipher: 'aes-256-gcm', tagLength: 8 });
    await expect(decryptPrivateKeyInfo(der, password)).rejects.toThrow(EncodingError);
  });

  it.each(cipherNames)('gives nothing, or no key, for a wrong password with %s', async (cipher) => {
    const der = encryptPbes2(key, password, { cipher });
    for (let count = 0; count < 300; count += 1) {
      const plain = await decryptPrivateKeyInfo(der, Buffer.from(`wrong ${count}`));
      expect(plain === undefined || Buffer.compare(plain, key) !== 0).toBe(true);
    }
  });

  describe('bounds what a file may cost', () => {
    // 2^40 + 1 iterations would take days.
    it.each([5_000_001, 2 ** 31, 2 ** 40 + 1, 2 ** 70])('%d iterations', async (iterations) => {
      const der = encryptPbes2(key, password);
      const found = Buffer.from(der).indexOf(Buffer.from('02010a', 'hex'));
      const hex = iterations.toString(16).padStart(20, '0');
      expect(found).toBeGreaterThan(0);
      const count = derInteger(BigInt(`0x${hex}`));
      const message = await unsupported(rewriteCount(count));
      expect(message).toContain('PBKDF2');
    });

    const rewriteCount = (count: ReturnType<typeof derInteger>): Uint8Array =>
      encryptedInfo(
        derSequence(
          derObjectIdentifier('1.2.840.113549.1.5.13'),
          derSequence(
            derSequence(
              derObjectIdentifier('1.2.840.113549.1.5.12'),
              derSequence(derOctetString([Buffer.alloc(8)]), count),
            ),
            derSequence(derObjectIdentifier('2.16.840.1.101.3.4.1.42'), derOctetString([Buffer.alloc(16)])),
          ),
        ),
        Buffer.alloc(160),
      );

    const scrypt = (N: bigint, r: bigint, p: bigint): Uint8Array =>
      encryptedInfo(
        derSequence(
          derObjectIdentifier('1.2.840.113549.1.5.13'),
          derSequence(
            derSequence(
              derObjectIdentifier('1.3.6.1.4.1.11591.4.11'),
              derSequence(derOctetString([Buffer.alloc(8)]), derInteger(N), derInteger(r), derInteger(p)),
            ),
            derSequence(derObjectIdentifier('2.16.840.1.101.3.4.1.42'), derOctetString([Buffer.alloc(16)])),
          ),
        ),
        Buffer.alloc(160),
      );

    it.each([
      [2n ** 18n, 8n, 1n],
      [2n ** 62n, 8n, 1n],
      [2n, 2n ** 40n, 1n],
      [2n ** 17n, 8n, 1000n],
      [2n, 1n, 2n ** 60n],
      [2n ** 17n, 8n, 5n],
    ])('scrypt of N %d, r %d and p %d', async (N, r, p) => {
      expect(await unsupported(scrypt(N, r, p))).toContain('scrypt');
    });

    it.each([
      [1n, 8n, 1n],
      [1000n, 8n, 1n],
      [2n ** 16n, 1n, 1n],
      [0n, 8n, 1n],
      [-16n, 8n, 1n],
    ])('scrypt that cannot be, of N %d, r %d and p %d', async (N, r, p) => {
      await expect(decryptPrivateKeyInfo(scrypt(N, r, p), password)).rejects.toThrow(EncodingError);
    });

    it.each([0n, -1n])('%d iterations', async (count) => {
      await expect(decryptPrivateKeyInfo(rewriteCount(derInteger(count)), password)).rejects.toThrow(
        EncodingError,
      );
    });
  });

  it.each([
    ['1.2.840.113549.1.12.1.1', 'RC4'],
    ['1.2.840.113549.1.5.1', 'MD2'],
    ['1.2.3.4', '1.2.3.4'],
  ])('refuses scheme %s by its name', async (identifier, word) => {
    const algorithm = derSequence(derObjectIdentifier(identifier), derElement(0x05));
    expect(await unsupported(encryptedInfo(algorithm, Buffer.alloc(8)))).toContain(word);
  });

  it('refuses every beginning of a file, and one with more behind it', async () => {
    const der = encryptPbes2(key, password);
    for (let length = 0; length < der.length; length += 1) {
      await expect(decryptPrivateKeyInfo(der.subarray(0, length), password), `${length}`).rejects.toThrow(
        EncodingError,
      );
    }
    await expect(decryptPrivateKeyInfo(Buffer.concat([der, Buffer.of(0)]), password)).rejects.toThrow(
      EncodingError,
    );
  });

  it('reads or refuses a file with any byte changed', async () => {
    const originals = cipherNames.map((cipher) => encryptPbes2(key, password, { cipher }));
    originals.push(encryptPbes2(key, password, { scrypt: { N: 16, r: 1, p: 1 } }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...originals),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (der, at, flip) => {
          const changed = Uint8Array.from(der);
          // The head, where the parameters are: the data is only data.
          const index = at % 130;
          changed[index] = (changed[index] ?? 0) ^ flip;
          try {
            await decryptPrivateKeyInfo(changed, password);
          } catch (error) {
            expect(error).toBeInstanceOf(EncodingError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
