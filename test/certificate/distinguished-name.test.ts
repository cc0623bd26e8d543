import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDistinguishedName } from '../../src/certificate/distinguished-name.ts';
import { formatName } from '../../src/certificate/name.ts';
import { derBytes, derElement, derObjectIdentifier, derSequence, tags } from '../../src/encoding/der.ts';
import { EncodingError } from '../../src/encoding/encoding-error.ts';

type Attribute = readonly [type: string, value: string, tag?: number];

const types: Readonly<Record<string, string>> = {
  C: '2.5.4.6',
  ST: '2.5.4.8',
  L: '2.5.4.7',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  CN: '2.5.4.3',
  serialNumber: '2.5.4.5',
  DC: '0.9.2342.19200300.100.1.25',
  UID: '0.9.2342.19200300.100.1.1',
  emailAddress: '1.2.840.113549.1.9.1',
  '1.2.3.4': '1.2.3.4',
};

/** A Name of RDNs, each of one or several attributes. */
function name(...relatives: readonly (Attribute | readonly Attribute[])[]): Uint8Array {
  return derBytes(
    derSequence(
      ...relatives.map((relative) => {
        const attributes = (typeof relative[0] === 'string' ? [relative] : relative) as readonly Attribute[];
        return derElement(
          tags.set,
          ...attributes.map(([type, value, tag = 0x0c]) =>
            derSequence(derObjectIdentifier(types[type] ?? ''), derElement(tag, [encode(value, tag)])),
          ),
        );
      }),
    ),
  );
}

function encode(value: string, tag: number): Uint8Array {
  return tag === 0x1e
    ? Buffer.from(value, 'utf16le').swap16()
    : Buffer.from(value, tag === 0x0c ? 'utf8' : 'latin1');
}

const matches = (text: string, der: Uint8Array): boolean => parseDistinguishedName(text).matches(der);

const usual = name(
  ['C', 'US', 0x13],
  ['ST', 'New York'],
  ['O', 'Example, Inc.'],
  ['OU', 'Sales + Marketing'],
  ['CN', 'db-1'],
);

describe('a distinguished name in the spelling of', () => {
  it.each([
    ['RFC 4514', String.raw`CN=db-1,OU=Sales \+ Marketing,O=Example\, Inc.,ST=New York,C=US`],
    [
      'RFC 4514 in hexadecimal',
      String.raw`CN=db-1,OU=Sales \2B Marketing,O=Example\2c Inc.,ST=New York,C=US`,
    ],
    [
      'RFC 4514 by object identifiers',
      String.raw`2.5.4.3=db-1,2.5.4.11=Sales \+ Marketing,2.5.4.10=Example\, Inc.,2.5.4.8=New York,2.5.4.6=US`,
    ],
    [
      'RFC 4514 by DER',
      `CN=#${Buffer.from('0c0464622d31', 'hex').toString('hex')},OU=Sales \\+ Marketing,O=Example\\, Inc.,ST=New York,C=#13025553`,
    ],
    ['RFC 1779', 'CN=db-1, OU="Sales + Marketing", O="Example, Inc.", ST=New York, C=US'],
    [
      'RFC 2253 with semicolons',
      String.raw`CN=db-1;OU="Sales + Marketing";O=Example\, Inc.;ST=New York;C=US`,
    ],
    [
      'OpenSSL 3 (openssl x509 -subject)',
      'C = US, ST = New York, O = "Example, Inc.", OU = Sales \\+ Marketing, CN = db-1',
    ],
    ['OpenSSL 3.2', 'C=US, ST=New York, O=Example\\, Inc., OU=Sales \\+ Marketing, CN=db-1'],
    ['OpenSSL 1 (X509_NAME_oneline)', '/C=US/ST=New York/O=Example, Inc./OU=Sales + Marketing/CN=db-1'],
    [
      'Windows (certutil, the certificate dialog)',
      'CN=db-1, OU="Sales + Marketing", O="Example, Inc.", S=New York, C=US',
    ],
    ['Go (the old helper)', String.raw`CN=db-1,OU=Sales \+ Marketing,O=Example\, Inc.,ST=New York,C=US`],
    [
      'Java (OID. in front)',
      String.raw`OID.2.5.4.3=db-1, OU=Sales \+ Marketing, O="Example, Inc.", ST=New York, C=US`,
    ],
    [
      'somebody in a hurry',
      String.raw` cn = DB-1 ,ou=sales  \+   MARKETING, o=example\, inc. , st=new york,c=us `,
    ],
  ])('%s', (_, text) => {
    expect(matches(text, usual)).toBe(true);
  });
});

describe('what is compared', () => {
  it('are whole names', () => {
    for (const text of [
      'CN=db-1',
      'C=US',
      String.raw`CN=db-1,OU=Sales \+ Marketing,O=Example\, Inc.,ST=New York`,
    ]) {
      expect(matches(text, usual), text).toBe(false);
    }
    expect(matches('CN=a,O=b,C=US', name(['C', 'US'], ['O', 'b']))).toBe(false);
  });

  it('are names in one order or the other, and no third', () => {
    const der = name(['O', 'a'], ['OU', 'b'], ['CN', 'c']);
    expect(matches('O=a,OU=b,CN=c', der)).toBe(true);
    expect(matches('CN=c,OU=b,O=a', der)).toBe(true);
    expect(matches('OU=b,O=a,CN=c', der)).toBe(false);
  });

  it.each([
    ['case', 'CN=Straße', 'CN=STRAßE'],
    ['composition', 'CN=é', 'CN=e\u0301'],
    ['width', 'CN=ＤＢ', 'CN=db'],
    ['spaces', 'CN=a b', String.raw`CN=\ a   b\ `],
  ])('are values without regard to %s (RFC 5280, section 7.1)', (_, one, other) => {
    const der = name(['CN', one.slice(3)]);
    expect(matches(other, der)).toBe(true);
    expect(matches('CN=other', der)).toBe(false);
  });

  it('are decoded values, whatever type of string they have', () => {
    for (const tag of [0x0c, 0x13, 0x14, 0x16, 0x1e]) {
      expect(matches('CN=Zoo 1', name(['CN', 'Zoo 1', tag])), `${tag}`).toBe(true);
    }
    expect(matches('CN=Zoë', name(['CN', 'Zoë', 0x1e]))).toBe(true);
    expect(matches('DC=com', name(['DC', 'com', 0x16]))).toBe(true);
  });

  it('are the attributes of a multi-valued RDN in any order, and never those of another', () => {
    const der = name(
      ['C', 'US'],
      [
        ['CN', 'a'],
        ['UID', '7'],
      ],
    );
    expect(matches('CN=a+UID=7,C=US', der)).toBe(true);
    expect(matches('UID=7 + CN=a, C=US', der)).toBe(true);
    expect(matches('/C=US/CN=a+UID=7', der)).toBe(true);
    expect(matches('UID=7,CN=a,C=US', der)).toBe(false);
  });

  it('are values with signs that OpenSSL leaves as they are', () => {
    expect(matches('/O=a/b+c/CN=http://x/y=z', name(['O', 'a/b+c'], ['CN', 'http://x/y=z']))).toBe(true);
    expect(matches(String.raw`/CN=Zo\xC3\xAB`, name(['CN', 'Zoë']))).toBe(true);
  });
});

describe("Go's spelling, where it is not the certificate's order", () => {
  it('sorts by type, and puts values of one type together', () => {
    // Go 1.24: pkix.Name.String of these.
    const der = name(['CN', 'a'], ['OU', 'one'], ['C', 'US'], ['OU', 'two']);
    expect(matches('CN=a,OU=one+OU=two,C=US', der)).toBe(true);
  });

  it('puts what it does not know behind, in DER of its own', () => {
    const der = name(
      ['DC', 'com', 0x16],
      ['DC', 'example', 0x16],
      ['CN', 'a'],
      ['emailAddress', 'a@example.com', 0x16],
    );
    const email = Buffer.from('a@example.com').toString('hex');
    expect(
      matches(
        `CN=a,1.2.840.113549.1.9.1=#0c0d${email},0.9.2342.19200300.100.1.25=#13076578616d706c65,0.9.2342.19200300.100.1.25=#1303636f6d`,
        der,
      ),
    ).toBe(true);
  });

  it('keeps the last of several common names', () => {
    expect(matches('CN=b,O=x', name(['O', 'x'], ['CN', 'a'], ['CN', 'b']))).toBe(true);
  });
});

describe('what cannot be read', () => {
  it.each([
    '',
    ' ',
    'x',
    'CN',
    '=x',
    'CN=a,',
    'CN=a+',
    'CN=a,,O=b',
    'Nonsense=x',
    '/',
    '/x',
    '/Nonsense=x',
    'CN="a',
    'CN=#0',
    'CN=#zz',
    'CN=#0c05aa',
    'CN=a\\',
  ])('%j is refused', (text) => {
    expect(() => parseDistinguishedName(text)).toThrow(EncodingError);
  });

  it('matches no name that is none', () => {
    expect(matches('CN=a', Buffer.from('3000', 'hex'))).toBe(false);
    expect(matches('CN=a', Buffer.from('ffff', 'hex'))).toBe(false);
  });
});

it('what formatName writes is read back, whatever the values', () => {
  const attribute = fc.tuple(
    fc.constantFrom('C', 'O', 'OU', 'CN', 'DC', 'UID', 'emailAddress', '1.2.3.4'),
    fc.string({ minLength: 1, unit: 'grapheme' }),
  );
  fc.assert(
    fc.property(fc.array(attribute, { minLength: 1, maxLength: 4 }), (attributes) => {
      const der = name(...attributes);
      expect(matches(formatName(der), der)).toBe(true);
    }),
  );
});
