import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EncodingError } from '../../../src/encoding/encoding-error.ts';
import {
  objectName,
  readPublicArea,
  storageTemplates,
  UnsupportedObject,
  writePublicArea,
} from '../../../src/key/tpm/public-area.ts';
import type { PublicArea } from '../../../src/key/tpm/public-area.ts';
import { toPublicKey } from '../../../src/key/tpm/subject-public-key.ts';

const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const bytes = fc.uint8Array({ maxLength: 80 });
const scheme = fc.oneof(
  fc.constant(undefined),
  fc.record({ algorithm: fc.constantFrom(0x14, 0x16, 0x17, 0x18, 0x19, 0x1b, 0x20), hash: uint16 }),
  fc.record({ algorithm: fc.constant(0x15) }),
  fc.record({ algorithm: fc.constant(0x1a), hash: uint16, count: uint16 }),
);
const common = {
  nameAlgorithm: fc.constantFrom(0x04, 0x0b, 0x0c, 0x0d),
  attributes: uint32,
  authPolicy: bytes,
  symmetric: fc.option(fc.record({ algorithm: fc.constant(6), keyBits: uint16, mode: uint16 }), {
    nil: undefined,
  }),
  scheme,
};
const areas: fc.Arbitrary<PublicArea> = fc.oneof(
  fc.record({
    type: fc.constant('rsa' as const),
    ...common,
    keyBits: uint16,
    exponent: uint32,
    modulus: bytes,
  }),
  fc.record({ type: fc.constant('ecc' as const), ...common, curve: uint16, kdf: scheme, x: bytes, y: bytes }),
);
/** toEqual tells a Buffer from a Uint8Array. */
const plain = (area: PublicArea): unknown =>
  Object.fromEntries(
    Object.entries(area).map(([key, value]: [string, unknown]) => [
      key,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
  );

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

describe('TPMT_PUBLIC', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(areas, (area) => {
        expect(plain(readPublicArea(writePublicArea(area)))).toEqual(plain(area));
      }),
    );
  });

  it('refuses every prefix, and a byte more', () => {
    fc.assert(
      fc.property(areas, fc.nat(), (area, cut) => {
        const whole = writePublicArea(area);
        expect(() => readPublicArea(whole.subarray(0, cut % whole.length))).toThrow(EncodingError);
        expect(() => readPublicArea(Buffer.concat([whole, Buffer.of(0)]))).toThrow(EncodingError);
      }),
    );
  });

  it('takes any other bytes for what they are: an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0x01, 0x23), (noise, type) => {
        const encoded = Buffer.concat([Buffer.of(0, type), noise]);
        let area;
        try {
          area = readPublicArea(encoded);
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError);
          return;
        }
        expect(Buffer.from(writePublicArea(area)).equals(encoded)).toBe(true);
      }),
    );
  });

  it('names other kinds of objects', () => {
    expect(() => readPublicArea(hex('0008 000b 00000000'))).toThrow(UnsupportedObject);
    expect(() => readPublicArea(hex('0025 000b 00000000'))).toThrow(/SYMCIPHER/);
  });

  it('has the storage templates of the key file format to the bit', () => {
    // TCG EK Credential Profile, templates H-2 and H-1, with the attributes fixedTPM, fixedParent,
    // sensitiveDataOrigin, userWithAuth, noDA, restricted and decrypt.
    expect(Buffer.from(writePublicArea(storageTemplates.ecc))).toEqual(
      hex('0023 000b 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000'),
    );
    expect(Buffer.from(writePublicArea(storageTemplates.rsa))).toEqual(
      hex('0001 000b 00030472 0000 0006 0080 0043 0010 0800 00000000 0000'),
    );
  });

  it('is hashed to the Name', () => {
    const digest = createHash('sha256').update(writePublicArea(storageTemplates.ecc)).digest();
    expect(Buffer.from(objectName(storageTemplates.ecc))).toEqual(Buffer.concat([hex('000b'), digest]));
    expect(objectName({ ...storageTemplates.ecc, nameAlgorithm: 0x0c })).toHaveLength(2 + 48);
    expect(() => objectName({ ...storageTemplates.ecc, nameAlgorithm: 0x27 })).toThrow(EncodingError);
  });
});

describe('the public key', () => {
  it.each([
    ['P-256', 0x03],
    ['P-384', 0x04],
    ['P-521', 0x05],
  ])(
    'of %s is what node:crypto has, coordinates with leading zeros left out included',
    (namedCurve, curve) => {
      for (let tries = 0; tries < 40; tries += 1) {
        const { publicKey } = generateKeyPairSync('ec', { namedCurve });
        const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
        const strip = (text: string): Buffer => {
          const coordinate = Buffer.from(text, 'base64url');
          return coordinate.subarray(coordinate.findIndex((byte) => byte !== 0));
        };
        const area: PublicArea = { ...storageTemplates.ecc, curve, x: strip(x), y: strip(y) };
        expect(toPublicKey(area).equals(publicKey)).toBe(true);
      }
    },
  );

  it.each([3, 65537, 0xffffffff])('of RSA has the exponent %i, and 0 means 65537', (exponent) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 512 });
    const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url');
    const written = exponent === 65537 ? 0 : exponent;
    const key = toPublicKey({ ...storageTemplates.rsa, exponent: written, modulus });
    expect(key.asymmetricKeyDetails?.publicExponent).toBe(BigInt(exponent));
    expect(createPublicKey(key.export({ format: 'pem', type: 'spki' })).equals(key)).toBe(true);
  });

  it('must lie on its curve, which must be known', () => {
    const area: PublicArea = { ...storageTemplates.ecc, x: Buffer.alloc(32, 1), y: Buffer.alloc(32, 2) };
    expect(() => toPublicKey(area)).toThrow();
    expect(() => toPublicKey({ ...area, curve: 0x10 })).toThrow(EncodingError);
  });
});
