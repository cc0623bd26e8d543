import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DerReader,
  derBytes,
  derElement,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
  isDer,
  tags,
} from '../../src/encoding/der.ts';
import { EncodingError } from '../../src/encoding/encoding-error.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const reader = (text: string): DerReader => new DerReader(hex(text));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('INTEGER', () => {
  it.each([
    ['02 01 00', 0n],
    ['02 01 7f', 127n],
    ['02 02 00 80', 128n],
    ['02 01 80', -128n],
    ['02 02 ff 7f', -129n],
    ['02 01 ff', -1n],
  ])('%s is %s both ways', (der, value) => {
    expect(reader(der).integer()).toBe(value);
    expect(toHex(derBytes(derInteger(value)))).toBe(toHex(hex(der)));
  });

  it('comes back as it went, whatever its size', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }), (value) => {
        expect(new DerReader(derBytes(derInteger(value))).integer()).toBe(value);
      }),
    );
  });

  it.each(['02 00', '02 02 00 7f', '02 02 ff 80', '02 02 00'])('%s is refused', (der) => {
    expect(() => reader(der).integer()).toThrow(EncodingError);
  });
});

describe('OBJECT IDENTIFIER', () => {
  it.each([
    ['06 03 55 04 03', '2.5.4.3'],
    ['06 06 2a 86 48 86 f7 0d', '1.2.840.113549'],
    ['06 03 88 37 03', '2.999.3'],
    ['06 01 27', '0.39'],
    ['06 01 28', '1.0'],
  ])('%s is %s both ways', (der, dotted) => {
    expect(reader(der).objectIdentifier()).toBe(dotted);
    expect(toHex(derBytes(derObjectIdentifier(dotted)))).toBe(toHex(hex(der)));
  });

  it('comes back as it went', () => {
    const arc = fc.integer({ min: 0, max: 2 ** 40 });
    const root = fc.oneof(
      fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 39 })),
      fc.tuple(fc.constant(2), arc),
    );
    fc.assert(
      fc.property(root, fc.array(arc), (first, rest) => {
        const dotted = [...first, ...rest].join('.');
        expect(new DerReader(derBytes(derObjectIdentifier(dotted))).objectIdentifier()).toBe(dotted);
      }),
    );
  });

  it.each([
    ['nothing', '06 00'],
    ['an unfinished arc', '06 02 55 84'],
    ['a leading zero septet', '06 03 55 80 03'],
    ['an arc beyond every number', '06 0a 55 ff ff ff ff ff ff ff ff 7f'],
  ])('%s is refused', (_, der) => {
    expect(() => reader(der).objectIdentifier()).toThrow(EncodingError);
  });
});

describe('lengths', () => {
  it.each([0, 1, 127, 128, 255, 256, 65_535, 65_536, 1_000_000])('%d bytes', (length) => {
    const content = new Uint8Array(length).fill(7);
    const der = derBytes(derOctetString([content]));
    expect(Buffer.compare(new DerReader(der).octetString(), content)).toBe(0);
  });

  it.each([
    ['indefinite', '30 80 00 00'],
    ['longer than needed, one byte', '04 81 01 00'],
    ['longer than needed, leading zero', '04 82 00 80'],
    ['of five bytes', '04 85 01 00 00 00 00'],
    ['reserved', '04 ff'],
    ['cut off', '04 82 01'],
    ['beyond the end', '04 02 00'],
    ['far beyond the end', '04 84 ff ff ff ff'],
    ['missing', '04'],
  ])('%s is refused', (_, der) => {
    expect(() => reader(der).next()).toThrow(EncodingError);
    expect(isDer(hex(der))).toBe(false);
  });
});

describe('structure', () => {
  it('nests, keeps order and reports the end', () => {
    const der = derBytes(
      derSequence(derInteger(1n), derElement(0xa0, derObjectIdentifier('1.2.3')), derSequence()),
    );
    expect(toHex(der)).toBe('300b020101a00406022a033000');
    const file = new DerReader(der);
    const sequence = file.sequence();
    file.end();
    expect(sequence.integer()).toBe(1n);
    expect(sequence.enterOptional(0xa1)).toBeUndefined();
    expect(sequence.enterOptional(0xa0)?.objectIdentifier()).toBe('1.2.3');
    expect(sequence.peek()).toBe(tags.sequence);
    expect(sequence.sequence().done).toBe(true);
    expect(sequence.peek()).toBeUndefined();
    sequence.end();
  });

  it('refuses another tag, a high tag number and what follows the end', () => {
    expect(() => reader('04 00').sequence()).toThrow(EncodingError);
    expect(() => reader('1f 81 01 00').next()).toThrow(EncodingError);
    expect(() => {
      reader('04 00').end();
    }).toThrow(EncodingError);
    expect(() => reader('').next()).toThrow(EncodingError);
  });

  it('knows one whole SEQUENCE from everything else', () => {
    expect(isDer(hex('30 00'))).toBe(true);
    expect(isDer(hex('30 00 00'))).toBe(false);
    expect(isDer(hex('04 00'))).toBe(false);
    expect(isDer(hex(''))).toBe(false);
    expect(isDer(Buffer.from('0 is how this text begins'))).toBe(false);
  });
});

describe('BIT STRING and BOOLEAN', () => {
  it('reads them', () => {
    expect(reader('03 02 07 80').bitString()).toEqual({ bytes: hex('80'), unusedBits: 7 });
    expect(reader('03 01 00').bitString()).toEqual({ bytes: hex(''), unusedBits: 0 });
    expect(reader('01 01 ff').boolean()).toBe(true);
    expect(reader('01 01 01').boolean()).toBe(true);
    expect(reader('01 01 00').boolean()).toBe(false);
  });

  it.each(['03 00', '03 02 08 80', '03 01 01'])('%s is no BIT STRING', (der) => {
    expect(() => reader(der).bitString()).toThrow(EncodingError);
  });

  it.each(['01 00', '01 02 ff ff'])('%s is no BOOLEAN', (der) => {
    expect(() => reader(der).boolean()).toThrow(EncodingError);
  });
});

describe('time', () => {
  const time = (tag: number, text: string): Date =>
    new DerReader(derBytes(derElement(tag, [Buffer.from(text)]))).time();

  it('reads both kinds to the second', () => {
    const dates = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        date.setUTCMilliseconds(0);
        const text = date.toISOString().replace(/[-:T]|\.\d+/g, '');
        expect(time(tags.generalizedTime, text)).toEqual(date);
        const year = date.getUTCFullYear();
        if (year >= 1950 && year < 2050) expect(time(tags.utcTime, text.slice(2))).toEqual(date);
      }),
    );
  });

  it.each([
    [tags.utcTime, '20010101000000Z'],
    [tags.generalizedTime, '010101000000Z'],
    [tags.generalizedTime, '0010101000000Z'],
    [tags.utcTime, '0101010000Z'],
    [tags.utcTime, '010101000000+0100'],
    [tags.utcTime, '010101000000'],
    [tags.generalizedTime, '20010101000000.5Z'],
    [tags.utcTime, '010229000000Z'],
    [tags.utcTime, '011301000000Z'],
    [tags.utcTime, '010001000000Z'],
    [tags.utcTime, '010101240000Z'],
    [tags.utcTime, '010101006000Z'],
    [tags.utcTime, '010101000060Z'],
    [tags.utcTime, '01010100000\u0661Z'],
    [tags.octetString, '010101000000Z'],
  ])('tag %d, %s is refused', (tag, text) => {
    expect(() => time(tag, text)).toThrow(EncodingError);
  });
});

it('throws nothing but EncodingError, whatever it reads', () => {
  const methods = [
    'next',
    'sequence',
    'integer',
    'objectIdentifier',
    'bitString',
    'boolean',
    'time',
  ] as const;
  const tag = fc.constantFrom(...Object.values(tags));
  fc.assert(
    fc.property(tag, fc.uint8Array({ max: 255 }), fc.uint8Array({ maxLength: 40 }), (...parts) => {
      const bytes = Buffer.from([parts[0], parts[2].length, ...parts[2]]);
      for (const method of methods) {
        for (const input of [bytes, parts[1]]) {
          try {
            new DerReader(input)[method]();
          } catch (error) {
            expect(error).toBeInstanceOf(EncodingError);
          }
        }
      }
    }),
  );
});
