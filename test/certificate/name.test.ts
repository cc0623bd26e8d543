import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/certificate/certificate.ts';
import { formatName } from '../../src/certificate/name.ts';
import { derBytes, derElement, derObjectIdentifier, derSequence } from '../../src/encoding/der.ts';
import type { DerPieces } from '../../src/encoding/der.ts';
import { derOf, fixture } from '../support/fixtures.ts';

const attribute = (type: string, tag: number, value: Uint8Array | string): DerPieces =>
  derSequence(derObjectIdentifier(type), derElement(tag, [Buffer.from(value)]));
const relative = (...attributes: DerPieces[]): DerPieces => derElement(0x31, ...attributes);
const name = (...parts: DerPieces[]): Uint8Array => derBytes(derSequence(...parts));
const commonName = (value: string): string => formatName(name(relative(attribute('2.5.4.3', 0x0c, value))));

describe('formatName writes a Name as RFC 4514 wants it', () => {
  it('the most specific part first, escaped, as OpenSSL does', () => {
    const { subject, issuer } = parseCertificate(derOf(fixture('leaf/p-256.pem')));
    expect(formatName(subject)).toBe('CN=p-256.example,OU=Müller,O=Example\\, Inc.,C=DE');
    expect(formatName(issuer)).toBe('CN=Example Issuing CA,O=Example,C=DE');
    expect(formatName(name())).toBe('');
  });

  // RFC 4514, section 4, and the rules of section 2.4.
  it.each([
    ['James "Jim" Smith, III', 'James \\"Jim\\" Smith\\, III'],
    ['Before\rAfter', 'Before\\0dAfter'],
    [' #+,;<>\\ ', '\\ #\\+\\,\\;\\<\\>\\\\\\ '],
    ['#1', '\\#1'],
    [' ', '\\ '],
    ['a=b', 'a=b'],
    ['\0', '\\00'],
    ['Lučić', 'Lučić'],
    ['\u001b[31mred\u202e', '\\1b[31mred\\e2\\80\\ae'],
  ])('%j', (value, written) => {
    expect(commonName(value)).toBe(`CN=${written}`);
  });

  it('in every string type, several attributes at one level, unknown ones in hexadecimal', () => {
    const parts = [
      relative(attribute('0.9.2342.19200300.100.1.25', 0x16, 'example')),
      relative(
        attribute('2.5.4.11', 0x13, 'Sales'),
        attribute('2.5.4.3', 0x1e, Buffer.of(0, 0x4a, 0x20, 0xac)),
      ),
      relative(attribute('2.5.4.10', 0x14, Buffer.of(0xfc))),
      relative(attribute('1.3.6.1.4.1.1466.0', 0x04, 'Hi')),
      relative(attribute('2.5.4.7', 0x02, Buffer.of(5))),
    ];
    expect(formatName(name(...parts))).toBe(
      'L=#020105,1.3.6.1.4.1.1466.0=#04024869,O=ü,OU=Sales+CN=J€,DC=example',
    );
  });

  it('what is no Name in hexadecimal', () => {
    expect(formatName(Buffer.from('3001ff', 'hex'))).toBe('#3001ff');
    expect(formatName(Buffer.alloc(0))).toBe('#');
  });
});
