import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  derBytes,
  derElement,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../../src/encoding/der.ts';
import type { DerPieces } from '../../../src/encoding/der.ts';
import { RolesAnywhereError } from '../../../src/errors.ts';
import { readTpmKeyFile } from '../../../src/key/tpm/key-file.ts';
import { sized } from '../../../src/key/tpm/marshal.ts';
import { storageTemplates, writePublicArea } from '../../../src/key/tpm/public-area.ts';

const area = {
  ...storageTemplates.ecc,
  attributes: 0x00040072,
  x: Buffer.alloc(32, 1),
  y: Buffer.alloc(32, 2),
};
const loadable = '2.23.133.10.1.3';

const flag = (number: number, value: number): DerPieces =>
  derElement(0xa0 | number, derElement(0x01, [Buffer.of(value)]));

const build = ({
  type = loadable,
  options = [] as readonly DerPieces[],
  parent = 0x40000001n,
  publicPart = sized(writePublicArea(area)),
  privatePart = sized(Buffer.from('private')),
  behind = [] as readonly DerPieces[],
} = {}): Uint8Array =>
  derBytes(
    derSequence(
      derObjectIdentifier(type),
      ...options,
      derInteger(parent),
      derOctetString([publicPart]),
      derOctetString([privatePart]),
      ...behind,
    ),
  );

const read = (der: Uint8Array) => readTpmKeyFile(der, 'tpm.pem');

const codeOf = (der: Uint8Array): unknown => {
  try {
    read(der);
    return 'nothing thrown';
  } catch (error) {
    return error instanceof RolesAnywhereError ? error.code : error;
  }
};

describe('TSS2 PRIVATE KEY', () => {
  it('is read', () => {
    const file = read(build());
    expect(file).toMatchObject({ parent: 0x40000001, hasEmptyAuth: false, hasRsaParent: false });
    expect(file.area).toMatchObject({ type: 'ecc', curve: 3 });
    expect(Buffer.from(file.privatePart).toString()).toBe('private');
  });

  it.each([
    ['FF', 0xff, true],
    ['01, as tpm2-openssl writes it', 0x01, true],
    ['00', 0x00, false],
  ])('has emptyAuth: %s', (_, value, expected) => {
    expect(read(build({ options: [flag(0, value)] })).hasEmptyAuth).toBe(expected);
  });

  it('may have a description, an RSA parent, and what later drafts add', () => {
    const description = derElement(0xa4, derElement(0x0c, [Buffer.from('me@host')]));
    const later = derElement(0xa6, derOctetString([Buffer.from('parent name')]));
    expect(read(build({ options: [flag(0, 0xff), description, flag(5, 0xff), later] }))).toMatchObject({
      hasEmptyAuth: true,
      hasRsaParent: true,
    });
  });

  it.each([
    ['owner', 0x40000001n, 0x40000001],
    ['null', 0x40000007n, 0x40000007],
    ['endorsement', 0x4000000bn, 0x4000000b],
    ['platform', 0x4000000cn, 0x4000000c],
    ['a persistent handle', 0x81000001n, 0x81000001],
    ['a persistent handle as a negative number', 0x81000001n - 0x100000000n, 0x81000001],
    ['0, which means the owner', 0n, 0x40000001],
  ])('has the parent: %s', (_, parent, expected) => {
    expect(read(build({ parent })).parent).toBe(expected);
  });

  it.each([0x80000000n, 0x40000009n, 0x02000000n, 1n, -1n, 0x100000000n, 1n << 64n, -(1n << 40n)])(
    'refuses the parent %s',
    (parent) => {
      expect(codeOf(build({ parent }))).toBe('KEY_INVALID');
    },
  );

  it.each([
    ['importable', build({ type: '2.23.133.10.1.4' }), /importable/],
    ['sealed', build({ type: '2.23.133.10.1.5' }), /sealed/],
    ['unknown', build({ type: '2.23.133.10.1.99' }), /2\.23\.133\.10\.1\.99/],
    ['with a policy', build({ options: [flag(0, 0xff), derElement(0xa1, derSequence())] }), /policy/],
    ['with an authPolicy', build({ options: [derElement(0xa3, derSequence())] }), /policy/],
    ['KEYEDHASH', build({ publicPart: sized(Buffer.from('0008000b00000000', 'hex')) }), /KEYEDHASH/],
  ])('refuses by name what cannot be used: %s', (_, der, words) => {
    expect(codeOf(der)).toBe('KEY_UNSUPPORTED');
    expect(() => read(der)).toThrow(words);
  });

  it.each([
    ['a secret in a loadable key', build({ options: [derElement(0xa2, derOctetString([Buffer.of(1)]))] })],
    ['a public part of another size', build({ publicPart: writePublicArea(area) })],
    [
      'bytes behind the public part',
      build({ publicPart: Buffer.concat([sized(writePublicArea(area)), Buffer.of(0)]) }),
    ],
    ['a private part of another size', build({ privatePart: Buffer.from('private') })],
    ['something behind', build({ behind: [derInteger(1n)] })],
    ['bytes behind', Buffer.concat([build(), Buffer.of(0)])],
    ['nothing', new Uint8Array()],
  ])('refuses %s', (_, der) => {
    expect(codeOf(der)).toBe('KEY_INVALID');
  });

  it('refuses every prefix', () => {
    const whole = build({ options: [flag(0, 0xff), flag(5, 0)] });
    for (let length = 0; length < whole.length; length += 1) {
      expect(codeOf(whole.subarray(0, length)), `${length} bytes`).toBe('KEY_INVALID');
    }
  });

  it('survives flipped bits: a key, or a clear error', () => {
    const whole = build({ options: [flag(0, 0xff)] });
    fc.assert(
      fc.property(fc.array(fc.nat(8 * whole.length - 1), { minLength: 1, maxLength: 4 }), (bits) => {
        const flipped = Uint8Array.from(whole);
        for (const bit of bits) flipped.set([(flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))], bit >> 3);
        expect(['nothing thrown', 'KEY_INVALID', 'KEY_UNSUPPORTED']).toContain(codeOf(flipped));
      }),
      { numRuns: 1000 },
    );
  });
});
