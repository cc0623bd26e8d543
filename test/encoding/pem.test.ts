import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EncodingError } from '../../src/encoding/encoding-error.ts';
import { encodePem, readPem } from '../../src/encoding/pem.ts';

const read = (text: string) => readPem(Buffer.from(text)).map(summary);
const summary = (block: ReturnType<typeof readPem>[number]) => ({
  label: block.label,
  headers: Object.fromEntries(block.headers),
  bytes: Buffer.from(block.decode()).toString(),
});
const block = (label: string, bytes: string) => ({ label, headers: {}, bytes });
const text = '-----BEGIN A-----\naGVsbG8=\n-----END A-----\n';
const hello = [block('A', 'hello')];

describe('what PEM files look like in the field', () => {
  it.each([
    ['as OpenSSL writes it', text],
    ['without a final line end', text.trimEnd()],
    ['with CRLF', text.replaceAll('\n', '\r\n')],
    ['with the line ends of an old Macintosh', text.replaceAll('\n', '\r')],
    ['on one line', text.replaceAll('\n', ' ')],
    ['with no white space at all', text.replaceAll('\n', '')],
    ['with spaces behind each line', text.replaceAll('\n', ' \t\n')],
    ['indented', text.replaceAll(/^/gm, '    ')],
    ['with empty lines', text.replaceAll('\n', '\n\n')],
    ['with the base64 broken anywhere', '-----BEGIN A-----\na G\nVs\n\nbG8\n=\n-----END A-----'],
    ['with text around', `subject=/CN=x: y\n${text}# that was it -- really\n`],
    ['in quotes', `"${text}"`],
    ['with a UTF-8 byte-order mark', `\ufeff${text}`],
  ])('%s', (_, input) => {
    expect(read(input)).toEqual(hello);
  });

  it.each(['utf16le', 'utf16be'] as const)(
    '%s with its byte-order mark, as PowerShell writes it',
    (encoding) => {
      const bytes = Buffer.from(`\ufeffünï — ${text.replaceAll('\n', '\r\n')}`, 'utf16le');
      if (encoding === 'utf16be') bytes.swap16();
      expect(readPem(bytes).map(summary)).toEqual(hello);
      expect(readPem(Buffer.concat([bytes, Buffer.of(0)])).map(summary)).toEqual(hello);
    },
  );

  it('several blocks, with the bag attributes of openssl pkcs12 between them', () => {
    const attributes =
      'Bag Attributes\n    localKeyID: 01 02\n    friendlyName: Jürgen\nKey Attributes: <No Attributes>\n';
    const second = encodePem('PRIVATE KEY', Buffer.from('key'));
    expect(read(`${attributes}${text}${attributes}${second}`)).toEqual([
      ...hello,
      block('PRIVATE KEY', 'key'),
    ]);
  });

  it.each(['\n', '\r\n'])('keeps headers, folded ones too (line end %j)', (newline) => {
    const lines = [
      ...['-----BEGIN A-----', 'Proc-Type: 4,ENCRYPTED', 'DEK-Info: AES-128-CBC,', ' 0011', ''],
      ...['aGVsbG8=', '-----END A-----'],
    ];
    expect(read(lines.join(newline))).toEqual([
      { label: 'A', headers: { 'Proc-Type': '4,ENCRYPTED', 'DEK-Info': 'AES-128-CBC,0011' }, bytes: 'hello' },
    ]);
  });

  it('finds no block where there is none', () => {
    for (const input of [
      '',
      'hello',
      '\ufeff',
      '-----BEGIN ',
      '-----BEGIN A',
      '-----BEGIN \n-----',
      '-----END A-----',
    ]) {
      expect(read(input)).toEqual([]);
    }
    expect(readPem(Buffer.from([0xff, 0xfe]))).toEqual([]);
    expect(readPem(Buffer.from([0xff]))).toEqual([]);
    expect(read('-----BEGIN is no boundary\n' + text)).toEqual(hello);
  });
});

describe('broken PEM', () => {
  it.each([
    ['another character', '-----BEGIN A-----\naGVs*G8=\n-----END A-----'],
    ['an URL-safe character', '-----BEGIN A-----\naGVs_G8=\n-----END A-----'],
    ['padding in the middle', '-----BEGIN A-----\naGV=bG8=\n-----END A-----'],
    ['too much padding', '-----BEGIN A-----\na===\n-----END A-----'],
    ['a character missing', '-----BEGIN A-----\naGVsbG8\n-----END A-----'],
    ['a colon', '-----BEGIN A-----\naG+s:G8=\n-----END A-----'],
  ])('%s is refused when it is decoded, naming the block', (_, input) => {
    const [first] = readPem(Buffer.from(input));
    expect(() => first?.decode()).toThrow(EncodingError);
    expect(() => first?.decode()).toThrow(/\bA block/);
  });

  it.each([
    ['cut off', '-----BEGIN A-----\naGVsbG8=\n'],
    ['closed by another label', '-----BEGIN A-----\naGVsbG8=\n-----END B-----\n'],
    ['opened twice', `-----BEGIN A-----\naGVs\n${text}`],
  ])('a block that is %s is refused', (_, input) => {
    expect(() => readPem(Buffer.from(input))).toThrow(EncodingError);
  });

  it('does not decode what nobody asks for', () => {
    const [broken, good] = readPem(Buffer.from(`-----BEGIN B-----\n*\n-----END B-----\n${text}`));
    expect(broken?.label).toBe('B');
    expect(good && summary(good)).toEqual(hello[0]);
  });
});

describe('properties', () => {
  const label = fc.stringMatching(/^[A-Z0-9]([A-Z0-9 ]{0,30}[A-Z0-9])?$/);
  const noise = fc.string({ unit: 'grapheme' }).filter((string) => !string.includes('-----'));

  it('what is encoded is decoded, among any text and with any line ends', () => {
    const blocks = fc.array(fc.tuple(label, fc.uint8Array({ maxLength: 200 }), noise));
    fc.assert(
      fc.property(blocks, fc.constantFrom('\n', '\r\n', '\r', ' '), (list, newline) => {
        const file = list.map(([name, bytes, around]) => `${encodePem(name, bytes)}${around}\n`).join('');
        const result = readPem(Buffer.from(file.replaceAll('\n', newline)));
        expect(result.map((found) => [found.label, [...found.decode()]])).toEqual(
          list.map(([name, bytes]) => [name, [...bytes]]),
        );
      }),
    );
  });

  it('encodes as RFC 7468 wants it: 64 characters a line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const lines = encodePem('A', bytes).split('\n');
        expect(lines.at(0)).toBe('-----BEGIN A-----');
        expect(lines.slice(-2)).toEqual(['-----END A-----', '']);
        const body = lines.slice(1, -2);
        expect(body.slice(0, -1).every((line) => line.length === 64)).toBe(true);
        expect(body.join('')).toBe(Buffer.from(bytes).toString('base64'));
      }),
    );
  });

  it('throws nothing but EncodingError, whatever it reads', () => {
    const parts = fc.constantFrom(
      '-----BEGIN A-----',
      '-----END A-----',
      '-----',
      'aGVs',
      '=',
      ':',
      '\n',
      ' ',
      '\0',
    );
    fc.assert(
      fc.property(fc.array(parts), (list) => {
        try {
          for (const found of readPem(Buffer.from(list.join('')))) found.decode();
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError);
        }
      }),
    );
  });

  it.each([
    ['BEGIN lines without an end', '-----BEGIN '],
    ['BEGIN lines of another kind', '-----BEGIN A\n-----'],
    ['empty blocks', '-----BEGIN A-----\n-----END A-----\n'],
    ['dashes', '-'],
  ])('takes linear time over a mebibyte of %s', (_, part) => {
    const input = Buffer.from(part.repeat(Math.floor(1024 ** 2 / part.length)));
    const start = performance.now();
    readPem(input);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('takes linear time over a mebibyte of headers', () => {
    for (const line of ['A: b\n', 'A: b\n c\n', ' \n', ':\n']) {
      const input = `-----BEGIN A-----\n${line.repeat(2 ** 20 / line.length)}-----END A-----\n`;
      const start = performance.now();
      readPem(Buffer.from(input));
      expect(performance.now() - start).toBeLessThan(2000);
    }
  });
});
