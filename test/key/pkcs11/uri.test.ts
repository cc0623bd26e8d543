import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inspect } from 'node:util';
import { formatPkcs11Uri, parsePkcs11Uri } from '../../../src/key/pkcs11/uri.ts';
import type { Pkcs11Uri } from '../../../src/key/pkcs11/uri.ts';
import { expectCode } from '../../support/errors.ts';

describe('parsePkcs11Uri', () => {
  it('reads every attribute of RFC 7512', () => {
    const uri = parsePkcs11Uri(
      'pkcs11:library-manufacturer=Maker;library-description=Soft%20Token;library-version=3.1;' +
        'slot-description=Slot;slot-manufacturer=Slots;slot-id=327;' +
        'model=M;manufacturer=Snake%20Oil;serial=4711;token=The%20Software%20PKCS%2311%20Token;' +
        'id=%69%95%3E%00;object=my-certificate;type=cert' +
        '?module-path=/usr/lib/a.so&module-name=a&pin-source=file:/etc/token_pin',
    );
    const { id, object, ...rest } = uri;
    expect(Buffer.from(id ?? []).toString('hex')).toBe('69953e00');
    expect(Buffer.from(object ?? []).toString()).toBe('my-certificate');
    expect(rest).toEqual({
      libraryManufacturer: 'Maker',
      libraryDescription: 'Soft Token',
      libraryVersion: '3.1',
      slotDescription: 'Slot',
      slotManufacturer: 'Slots',
      slotId: 327n,
      model: 'M',
      manufacturer: 'Snake Oil',
      serial: '4711',
      token: 'The Software PKCS#11 Token',
      type: 'cert',
      modulePath: '/usr/lib/a.so',
      moduleName: 'a',
      pinSource: 'file:/etc/token_pin',
    });
    expect(parsePkcs11Uri('pkcs11:?pin-value=the%2Dpin').pinValue?.expose()).toBe('the-pin');
  });

  it.each([
    ['pkcs11:', {}],
    ['PKCS11:token=a', { token: 'a' }],
    ['pkcs11:slot-id=0', { slotId: 0n }],
    ['pkcs11:slot-id=18446744073709551615', { slotId: 2n ** 64n - 1n }],
    ['pkcs11:library-version=2', { libraryVersion: '2.0' }],
    ['pkcs11:token=', { token: '' }],
    ['pkcs11:token=a=b&c', { token: 'a=b&c' }],
    ['pkcs11:token=ä b', { token: 'ä b' }],
    ['pkcs11:token=%C3%A4', { token: 'ä' }],
    ['pkcs11:x-vendor=1;unknown=2;x-vendor=3;token=a?x-query=4&unknown=5&x-query=6', { token: 'a' }],
    ['pkcs11:?module-path=/a?b', { modulePath: '/a?b' }],
    ['pkcs11:?pin-source=|cmd', { pinSource: '|cmd' }],
  ])('%s', (text, expected) => {
    expect(parsePkcs11Uri(text)).toEqual(expected);
  });

  it.each([
    'token=a',
    'pkcs12:token=a',
    'pkcs11:token',
    'pkcs11:=a',
    'pkcs11:token=a;',
    'pkcs11:;token=a',
    'pkcs11:token=a;token=b',
    'pkcs11:id=%01;id=%01',
    'pkcs11:?pin-value=a&pin-value=a',
    'pkcs11:?pin-value=a&pin-source=b',
    'pkcs11:token=a;pin-value=1234',
    'pkcs11:token=%',
    'pkcs11:token=%4',
    'pkcs11:token=%zz',
    'pkcs11:unknown=%zz',
    'pkcs11:token=%C3',
    'pkcs11:?pin-value=%FF',
    'pkcs11:slot-id=',
    'pkcs11:slot-id=0x1',
    'pkcs11:slot-id=-1',
    'pkcs11:slot-id=1 ',
    'pkcs11:library-version=a',
    'pkcs11:library-version=1.2.3',
    'pkcs11:type=key',
    'pkcs11:to ken=a',
    'pkcs11:token=a\n',
  ])('%j is refused', async (text) => {
    await expectCode(() => parsePkcs11Uri(text), 'INVALID_ARGUMENT');
  });

  it('never throws anything else, and never repeats a value', () => {
    const canary = 'CANARY';
    const piece = fc.constantFrom(
      'pkcs11:',
      'token=',
      'pin-value=',
      'slot-id=',
      ';',
      '?',
      '&',
      '%',
      '%41',
      '=',
      canary,
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          parsePkcs11Uri(`pkcs11:${pieces.join('')}`);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
          expect(String(error)).not.toContain(canary);
        }
      }),
    );
  });
});

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const uris: fc.Arbitrary<Pkcs11Uri> = fc.record(
  {
    token: text,
    manufacturer: text,
    model: text,
    serial: text,
    slotId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    slotDescription: text,
    slotManufacturer: text,
    libraryManufacturer: text,
    libraryDescription: text,
    libraryVersion: fc.tuple(fc.nat(255), fc.nat(255)).map(([major, minor]) => `${major}.${minor}`),
    id: fc.uint8Array({ maxLength: 20 }),
    object: fc.uint8Array({ maxLength: 20 }),
    type: fc.constantFrom('public', 'private', 'cert', 'secret-key', 'data'),
  },
  { requiredKeys: [] },
);

describe('formatPkcs11Uri', () => {
  it('is read back as it was, whatever is in it', () => {
    fc.assert(
      fc.property(uris, (uri) => {
        const again = parsePkcs11Uri(formatPkcs11Uri(uri));
        const plain = ({ id, object, ...rest }: Pkcs11Uri) => ({
          ...rest,
          ...(id && { id: [...id] }),
          ...(object && { object: [...object] }),
        });
        expect(plain(again)).toEqual(plain(uri));
      }),
    );
  });

  it('has one order, whatever order it was written in, and only characters that need no quotes in a URI', () => {
    const written = 'pkcs11:type=cert;object=a b/c;id=%01%41;token=t;serial=s;manufacturer=ä;model=m';
    expect(formatPkcs11Uri(parsePkcs11Uri(written))).toBe(
      'pkcs11:model=m;manufacturer=%C3%A4;serial=s;token=t;id=%01%41;object=a%20b%2Fc;type=cert',
    );
    expect(formatPkcs11Uri({})).toBe('pkcs11:');
  });
});

it('a PIN in a URI is printed nowhere', () => {
  const uri = parsePkcs11Uri('pkcs11:token=a?pin-value=7351849206');
  const shown = [inspect(uri), JSON.stringify(uri), formatPkcs11Uri(uri), String(uri.pinValue)];
  expect(shown.join()).not.toContain('7351849206');
});

it('labels are bytes, kept even where they are no UTF-8', () => {
  const { object } = parsePkcs11Uri('pkcs11:object=%FF%00a');
  expect(Buffer.from(object ?? [])).toEqual(Buffer.from([0xff, 0, 0x61]));
});
