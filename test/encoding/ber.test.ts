import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { berToDer } from '../../src/encoding/ber.ts';
import { derBytes, derElement } from '../../src/encoding/der.ts';
import { EncodingError } from '../../src/encoding/encoding-error.ts';

interface Tree {
  readonly tag: number;
  readonly content: Uint8Array | readonly Tree[];
}

const primitive = fc.record({
  tag: fc.constantFrom(0x02, 0x04, 0x0c, 0x80),
  content: fc.uint8Array({ maxLength: 200 }),
});
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    primitive,
    fc.record({
      tag: fc.constantFrom(0x30, 0x31, 0xa0, 0xa3),
      content: fc.array(tie('tree'), { maxLength: 4 }),
    }),
  ),
}));

function toDer({ tag, content }: Tree): Uint8Array {
  return derBytes(
    derElement(tag, ...(content instanceof Uint8Array ? [[content]] : content.map((each) => [toDer(each)]))),
  );
}

/** One of the many ways to write it in BER; each draw takes another turn. */
function toBer({ tag, content }: Tree, draw: () => number, splits = 3): Buffer {
  const inside =
    content instanceof Uint8Array
      ? Buffer.from(content)
      : Buffer.concat(content.map((each) => toBer(each, draw)));
  if (tag === 0x04 && splits > 0 && draw() % 2 === 0) {
    const cut = draw() % (inside.length + 1);
    const parts = [inside.subarray(0, cut), inside.subarray(cut)];
    return wrap(
      0x24,
      Buffer.concat(parts.map((part) => toBer({ tag: 0x04, content: part }, draw, splits - 1))),
      draw,
    );
  }
  return wrap(tag, inside, draw);
}

function wrap(tag: number, inside: Buffer, draw: () => number): Buffer {
  if ((tag & 0x20) !== 0 && draw() % 2 === 0) {
    return Buffer.concat([Buffer.of(tag, 0x80), inside, Buffer.of(0, 0)]);
  }
  const extra = draw() % 3;
  if (inside.length < 0x80 && extra === 0) return Buffer.concat([Buffer.of(tag, inside.length), inside]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(inside.length);
  return Buffer.concat([Buffer.of(tag, 0x80 | (4 + extra)), Buffer.alloc(extra), length, inside]);
}

describe('berToDer', () => {
  it('takes every way to write a structure for the one of DER', () => {
    fc.assert(
      fc.property(tree, fc.array(fc.nat(1000), { minLength: 50, maxLength: 50 }), (structure, turns) => {
        let turn = 0;
        const ber = toBer(structure, () => turns[turn++ % turns.length] ?? 0);
        expect(Buffer.from(berToDer(ber))).toEqual(Buffer.from(toDer(structure)));
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['an open length that never ends', '3080020101'],
    ['an open length of a primitive', '04800000'],
    ['more than there is', '3003020101ff'.slice(0, 8)],
    ['more behind it', '300000'],
    ['a length beyond everything', '3089ffffffffffffffffff'],
    ['an OCTET STRING of numbers', '2403020101'],
    ['a tag of many bytes', '3f810100'],
  ])('refuses %s', (_, hex) => {
    expect(() => berToDer(Buffer.from(hex, 'hex'))).toThrow(EncodingError);
  });

  // Spread into arguments, these ended in a RangeError, or took hundreds of megabytes.
  it.each([
    ['parts of an OCTET STRING', 0x24, '040141', 346_000],
    ['empty parts of an OCTET STRING', 0x24, '0400', 520_000],
    ['empty SEQUENCEs', 0x30, '3000', 520_000],
    ['a little more elements than there may be', 0x30, '3000', 20_000],
  ])('refuses %s in masses', (_, tag, child, count) => {
    const parts = derBytes(derElement(tag, [Buffer.alloc((child.length / 2) * count, child, 'hex')]));
    expect(() => berToDer(parts)).toThrow(EncodingError);
    // They count wherever they are: here each level holds one.
    expect(() => berToDer(derBytes(derElement(0x30, [parts])))).toThrow(EncodingError);
  });

  it('joins an OCTET STRING of as many parts as a file of a mebibyte has in the field', () => {
    const parts = Buffer.alloc(3 * 15_000, '040141', 'hex');
    expect(berToDer(derBytes(derElement(0x24, [parts])))).toHaveLength(15_004);
  });

  it('goes no deeper than any file does', () => {
    const open = (depth: number): Buffer =>
      Buffer.concat([Buffer.alloc(2 * depth, Buffer.of(0x30, 0x80)), Buffer.alloc(2 * depth)]);
    expect(() => berToDer(open(20))).not.toThrow();
    expect(() => berToDer(open(100_000))).toThrow(EncodingError);
  });
});
