import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../../src/errors.ts';
import { storageTemplates } from '../../../src/key/tpm/public-area.ts';
import type { PublicArea } from '../../../src/key/tpm/public-area.ts';
import { checkCanSign, encodeSignature, fitDigest, prepareDigest } from '../../../src/key/tpm/signature.ts';

const message = Buffer.from('message');
const signing = { attributes: 0x00040072, symmetric: undefined };
const rsa: PublicArea = { ...storageTemplates.rsa, ...signing };
const ecc: PublicArea = { ...storageTemplates.ecc, ...signing };

/** The number that ECDSA makes of a digest: FIPS 186-5, section 6.4.1, steps 1 and 2. */
const numberOf = (digest: Uint8Array, orderBits: number): bigint => {
  const number = BigInt(`0x0${Buffer.from(digest).toString('hex')}`);
  const surplus = digest.length * 8 - orderBits;
  return surplus > 0 ? number >> BigInt(surplus) : number;
};

const digestOf = (area: PublicArea, digest: 'SHA256' | 'SHA384' | 'SHA512' = 'SHA256') =>
  prepareDigest(area, 'key.pem', message, digest);

const codeOf = (work: () => unknown): unknown => {
  try {
    work();
    return 'nothing thrown';
  } catch (error) {
    return error instanceof RolesAnywhereError ? error.code : error;
  }
};

describe('a digest of another size', () => {
  it('stays the same number for ECDSA, or is refused', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(32, 48, 64),
        fc.constantFrom(20, 32, 48, 64),
        fc.constantFrom([256, 32] as const, [384, 48] as const, [521, 66] as const),
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        (length, size, [orderBits, curveBytes], noise) => {
          const digest = noise.subarray(0, length);
          const fitted = fitDigest(digest, size, curveBytes);
          const loses = Math.min(length, curveBytes) > Math.min(size, curveBytes);
          expect(fitted === undefined).toBe(loses);
          if (fitted === undefined) return;
          expect(fitted).toHaveLength(size);
          expect(numberOf(fitted, orderBits)).toBe(numberOf(digest, orderBits));
        },
      ),
    );
  });

  it('a P-384 key bound to ECDSA-SHA384 gets the SHA-256 digest padded to its size on the left', () => {
    const bound: PublicArea = { ...ecc, curve: 0x04, scheme: { algorithm: 0x18, hash: 0x0c } };
    const plain = digestOf(ecc).digest;
    expect(digestOf(bound)).toEqual({
      scheme: { algorithm: 0x18, hash: 0x0c },
      digest: Uint8Array.from(Buffer.concat([Buffer.alloc(16), plain])),
    });
  });

  it('a P-256 key bound to ECDSA-SHA512 gets it padded on the right, since ECDSA takes the left', () => {
    const bound: PublicArea = { ...ecc, scheme: { algorithm: 0x18, hash: 0x0d } };
    expect(Buffer.from(digestOf(bound).digest)).toEqual(
      Buffer.concat([digestOf(ecc).digest, Buffer.alloc(32)]),
    );
  });

  it('cannot be had where bytes that count would be lost, from RSA, or from a restricted key', () => {
    const bound = { algorithm: 0x18, hash: 0x0c };
    for (const area of [
      { ...ecc, curve: 0x04, scheme: { algorithm: 0x18, hash: 0x04 } },
      { ...rsa, scheme: { algorithm: 0x14, hash: 0x0c } },
      { ...ecc, curve: 0x04, attributes: 0x00050072, scheme: bound },
      { ...ecc, curve: 0x04, scheme: { algorithm: 0x18, hash: 0x27 } },
    ]) {
      expect(codeOf(() => digestOf(area))).toBe('KEY_UNSUPPORTED');
    }
  });
});

describe('the scheme', () => {
  it('is RSASSA or ECDSA with the digest asked for, where the key leaves the choice', () => {
    for (const [digest, hash] of [
      ['SHA256', 0x0b],
      ['SHA384', 0x0c],
      ['SHA512', 0x0d],
    ] as const) {
      expect(digestOf(rsa, digest).scheme).toEqual({ algorithm: 0x14, hash });
      expect(digestOf({ ...ecc, curve: 0x05 }, digest).scheme).toEqual({ algorithm: 0x18, hash });
    }
  });
});

describe('a key that cannot sign for the service is refused by name', () => {
  it.each([
    ['decrypt only', { ...rsa, attributes: 0x00020072 }, /sign attribute/],
    ['policy-bound', { ...rsa, attributes: 0x00040032 }, /policy/],
    ['RSAPSS', { ...rsa, scheme: { algorithm: 0x16, hash: 0x0b } }, /RSAPSS/],
    ['ECDAA', { ...ecc, scheme: { algorithm: 0x1a, hash: 0x0b, count: 0 } }, /ECDAA/],
    ['BN P-256', { ...ecc, curve: 0x10 }, /curve 0x10/],
    ['1024 bits', { ...rsa, keyBits: 1024 }, /1024/],
  ] as const)('%s', (_, area, words) => {
    expect(
      codeOf(() => {
        checkCanSign(area, 'key.pem');
      }),
    ).toBe('KEY_UNSUPPORTED');
    expect(() => {
      checkCanSign(area, 'key.pem');
    }).toThrow(words);
  });

  it('and others are not', () => {
    for (const area of [
      rsa,
      ecc,
      { ...ecc, curve: 0x04 },
      { ...rsa, scheme: { algorithm: 0x14, hash: 0x0b } },
    ]) {
      checkCanSign(area, 'key.pem');
    }
  });
});

describe('the signature', () => {
  it('of ECDSA is DER, with positive numbers of minimal length', () => {
    const encode = (r: string, s: string): string =>
      Buffer.from(
        encodeSignature({ type: 'ecc', r: Buffer.from(r, 'hex'), s: Buffer.from(s, 'hex') }),
      ).toString('hex');
    expect(encode('80', '01')).toBe('3007020200800201' + '01');
    expect(encode('00007f', '000000ff')).toBe('300702017f020200ff');
    expect(encode('', '00')).toBe('3006020100020100');
  });

  it('of RSA is left as it is', () => {
    expect(encodeSignature({ type: 'rsa', signature: Uint8Array.of(0, 1, 2) })).toEqual(
      Uint8Array.of(0, 1, 2),
    );
  });
});
