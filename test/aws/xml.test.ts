import fc from 'fast-check';
import { expect, test } from 'vitest';
import { xml } from '../../src/aws/xml.ts';
import { text } from '../../src/emulator/xml.ts';
import { anyText } from '../support/any-text.ts';

const nested = `<?xml version="1.0"?><R xmlns="urn:x"><Other><Address>wrong</Address></Other>
  <Endpoint a="1"><Port>5439</Port><Address >right</Address ><Empty></Empty></Endpoint></R>`;

test.each<[readonly string[], string | undefined]>([
  [['Endpoint', 'Address'], 'right'],
  [['Address'], 'wrong'],
  [['Endpoint', 'Port'], '5439'],
  [['Endpoint', 'Empty'], ''],
  [['Endpoint', 'Missing'], undefined],
  [['Missing', 'Address'], undefined],
  // Not text alone.
  [['Endpoint'], undefined],
  // Of another name that begins so.
  [['End'], undefined],
])('finds by a path: %j', (path, found) => {
  expect(xml(nested, ...path)).toBe(found);
});

test.each<[string, string | undefined]>([
  [' a\tb ', ' a\tb '],
  ['a\r\nb\rc\n', 'a\nb\nc\n'],
  ['&lt;&gt;&quot;&apos;&amp;amp;', '<>"\'&amp;'],
  ['&#43;&#x2b;&#x2B;&#128512;&#xd;', '+++😀\r'],
  // Neither text nor a reference: not read as something else.
  ['&unknown;', undefined],
  ['&#x110000;', undefined],
  ['&toString;', undefined],
  ['a & b', undefined],
  ['&amp', undefined],
  ['<b>x</b>', undefined],
  ['<![CDATA[x]]>', undefined],
  ['a<!-- b -->', undefined],
])('reads the text %j', (written, read) => {
  expect(xml(`<T>${written}</T>`, 'T')).toBe(read);
});

test('reads whatever text the emulator writes', () => {
  const awkward = '+/=@:&%;{}\'"\\ ]]><!--';
  expect(xml(text('T', awkward), 'T')).toBe(awkward);
  // What XML 1.0 cannot hold, section 2.2, and a bare carriage return, which the writer does not escape.
  const storable = anyText().filter((each) => !/[^\t\n\x20-\u{10FFFF}]|[\uFFFE\uFFFF]/u.test(each));
  fc.assert(
    fc.property(storable, (each) => {
      expect(xml(text('T', each), 'T')).toBe(each);
    }),
  );
});
