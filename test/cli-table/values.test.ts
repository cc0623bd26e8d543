import { describe, expect, it } from 'vitest';
import { given } from '../../src/cli/given.ts';
import { harmless } from '../../src/cli/output.ts';
import { nameValues, wholeNumber } from '../../src/cli/values.ts';

describe('wholeNumber', () => {
  it.each([
    ['0', 0],
    ['900', 900],
    ['+900', 900],
    ['43200', 43200],
    // What Go's strconv.ParseInt takes in base 0, as the old helper does.
    ['0x384', 900],
    ['0X3_84', 900],
    ['0x_384', 900],
    ['01604', 900],
    ['0o1604', 900],
    ['0O16_04', 900],
    ['0_1604', 900],
    ['0b1110000100', 900],
    ['+0B11_10000100', 900],
    ['1_000', 1000],
    ['00', 0],
    ['-0', 0],
  ])('reads %s', (text, number) => {
    expect(wholeNumber('timeout', text)).toBe(number);
  });

  it.each([
    '',
    ' 900',
    '900 ',
    '12h',
    '1e3',
    '0x',
    '0b2',
    '0900',
    '08',
    '1__000',
    '_1',
    '1_',
    '0x3g',
    '384h',
    '--1',
    '+-1',
    '-1',
    '-0x1',
    '1.5',
    'NaN',
    'Infinity',
    '٩٠٠',
    '9'.repeat(30),
  ])('refuses %j', (text) => {
    expect(() => wholeNumber('timeout', text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it.each(['0', '3601', '-5', '9'.repeat(30)])(
    'tells %s, which is out of range, from what is no number',
    (text) => {
      expect(() => wholeNumber('timeout', text, 1, 3600)).toThrow(
        expect.objectContaining({
          message: expect.stringContaining('out of range') as string,
          hint: expect.stringMatching(/1 to 3600/) as string,
        }),
      );
      expect(() => wholeNumber('timeout', '12h', 900, 43_200)).toThrow(
        expect.objectContaining({ hint: expect.stringMatching(/900 to 43200/) as string }),
      );
    },
  );

  it('holds the limits', () => {
    expect(wholeNumber('port', '65535', 0, 65_535)).toBe(65_535);
    expect(wholeNumber('timeout', '1', 1)).toBe(1);
    expect(() => wholeNumber('port', '65536', 0, 65_535)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(() => wholeNumber('timeout', '0', 1)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('nameValues', () => {
  it('divides at the first equals sign; the last of a name counts', () => {
    expect(nameValues('instance-property', ['a=1', 'b=x=y', 'c=', 'a=2'])).toEqual({
      a: '2',
      b: 'x=y',
      c: '',
    });
  });

  it('takes any name, also those that JavaScript objects have', () => {
    expect(Object.entries(nameValues('instance-property', ['__proto__=1', 'constructor=2']))).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
  });

  it.each(['', 'a', '=1'])('refuses %j', (text) => {
    expect(() => nameValues('instance-property', [text])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('given', () => {
  it('drops what is undefined, and nothing else', () => {
    expect(Object.keys(given({ a: undefined, b: 0, c: '', d: false }))).toEqual(['b', 'c', 'd']);
  });
});

describe('harmless', () => {
  it.each([
    ['\u001b[31mred', '\\u001b[31mred'],
    ['one\r\ntwo', 'one\\u000d\\u000atwo'],
    ['\u009b1m', '\\u009b1m'],
    ['abc\u202edcb', 'abc\\u202edcb'],
    ['\u2028', '\\u2028'],
    ['\ud800', '\\ud800'],
    ['\u{e0041}', '\\udb40\\udc41'],
  ])('spells %j out', (text, safe) => {
    expect(harmless(text)).toBe(safe);
  });

  it('leaves text alone', () => {
    expect(harmless('Müller 株式会社 😀 "x" \\')).toBe('Müller 株式会社 😀 "x" \\');
  });

  it('keeps JSON the same JSON', () => {
    const value = { why: 'a\u007fb\u009b\u202e\u{e0041}' };
    expect(JSON.parse(harmless(JSON.stringify(value)))).toEqual(value);
  });
});
