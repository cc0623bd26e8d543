import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalRequest } from '../../src/emulator/canonical-request.ts';
import type { HttpRequest } from '../../src/emulator/http-request.ts';
import { parsePairs, utf8 } from '../../src/emulator/http-request.ts';

const request = (change: Partial<HttpRequest>): HttpRequest => ({
  method: 'GET',
  path: '/',
  query: '',
  headers: [
    ['host', 'example.amazonaws.com'],
    ['x-amz-date', '20150830T123600Z'],
  ],
  body: new Uint8Array(),
  ...change,
});

/** The hash of the canonical request, as AWS's SigV4 test suite has it in each case's string to sign. */
const hash = (change: Partial<HttpRequest>, signed = ['host', 'x-amz-date']): string =>
  createHash('sha256')
    .update(canonicalRequest(request(change), signed), 'latin1')
    .digest('hex');

describe("cases of AWS's SigV4 test suite", () => {
  const vanilla = 'bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63';
  test.each<[string, Partial<HttpRequest>, string]>([
    ['get-vanilla', {}, vanilla],
    ['get-relative', { path: '/example/..' }, vanilla],
    ['get-relative-relative', { path: '/example1/example2/../..' }, vanilla],
    ['get-slash', { path: '//' }, vanilla],
    ['get-slash-dot-slash', { path: '/./' }, vanilla],
    [
      'get-slash-pointless-dot',
      { path: '/./example' },
      '214d50c111a8edc4819da6a636336472c916b5240f51e9a51b5c3305180cf702',
    ],
    [
      'get-slashes',
      { path: '//example//' },
      'cb96b4ac96d501f7c5c15bc6d67b3035061cfced4af6585ad927f7e6c985c015',
    ],
    [
      'get-unreserved',
      { path: '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz' },
      '6a968768eefaa713e2a6b16b589a8ea192661f098f37349f4e2c0082757446f9',
    ],
    [
      'get-vanilla-query-order-key-case',
      { query: 'Param2=value2&Param1=value1' },
      '816cd5b414d056048ba4f7c5386d6e0533120fb1fcfa93762cf0fc39e2cf19e0',
    ],
    [
      'get-vanilla-empty-query-key',
      { query: 'Param1=value1' },
      '1e24db194ed7d0eec2de28d7369675a243488e08526e8c1c73571282f7c517ab',
    ],
    ['post-vanilla', { method: 'POST' }, '553f88c9e4d10fc9e109e2aeb65f030801b70c2f6468faca261d401ae622fc87'],
  ])('%s', (_, change, expected) => {
    expect(hash(change)).toBe(expected);
  });

  test('get-header-value-trim', () => {
    const headers = [
      ['host', 'example.amazonaws.com'],
      ['my-header1', ' value1'],
      ['my-header2', ' "a   b   c"'],
      ['x-amz-date', '20150830T123600Z'],
    ] as const;
    expect(hash({ headers }, ['host', 'my-header1', 'my-header2', 'x-amz-date'])).toBe(
      'a726db9b0df21c14f559d0a978e563112acb1b9e05476f0a6a1c7d68f28605c7',
    );
  });
});

const line = (change: Partial<HttpRequest>, index: number): string | undefined =>
  canonicalRequest(request(change), ['host']).split('\n')[index];

test.each([
  ['a+b=c+d', 'a%20b=c%20d'],
  ['a%2Bb=%2b', 'a%2Bb=%2B'],
  ['b=2&b=1&a', 'a=&b=1&b=2'],
  ['a=b=c', 'a=b%3Dc'],
  ['a=%', 'a=%25'],
  ['a=%zz', 'a=%25zz'],
  ['&&a=1&', 'a=1'],
  ["a=!'()*", 'a=%21%27%28%29%2A'],
  ['a=%c3%a4', 'a=%C3%A4'],
  ['a=\u00c3\u00a4', 'a=%C3%A4'],
])('the query %s is signed as %s', (query, expected) => {
  expect(line({ query }, 2)).toBe(expected);
});

test.each([
  ['/a%2fb', '/a%252fb'],
  ['/a/', '/a/'],
  ['/a/b/..', '/a/'],
  ['/../a', '/a'],
  ['', '/'],
  ['/a:b', '/a%3Ab'],
])('the path %s is signed as %s', (path, expected) => {
  expect(line({ path }, 1)).toBe(expected);
});

test('a query reads as URLSearchParams reads it', () => {
  const piece = fc
    .stringMatching(/^[a-zA-Z0-9+&=%. äß☃-]{0,12}$/u)
    .map((text) => text.replaceAll('%', '%25'));
  fc.assert(
    fc.property(piece, (query) => {
      const bytes = Buffer.from(query).toString('latin1');
      const pairs = parsePairs(bytes).map(([name, value]) => [utf8(name), utf8(value)]);
      expect(pairs).toEqual([...new URLSearchParams(query)]);
    }),
  );
});
