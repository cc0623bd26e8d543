import { describe, expect, it } from 'vitest';
import { readCertificates } from '../../src/certificate/read.ts';
import { expectCode } from '../support/errors.ts';
import { derOf, fixture } from '../support/fixtures.ts';
import { toPem } from '../support/pki.ts';

const pem = fixture('leaf/p-256.pem');
const der = derOf(pem);
const other = derOf(fixture('leaf/p-384.pem'));
const read = (bytes: Uint8Array | string) =>
  readCertificates(Buffer.from(bytes), 'test.pem').map((certificate) =>
    Buffer.from(certificate.der).toString('hex'),
  );

describe('readCertificates', () => {
  it.each([
    ['PEM', pem],
    ['DER', der],
    ['PEM with CRLF and a byte-order mark', `\ufeff${pem.toString().replaceAll('\n', '\r\n')}`],
    ['UTF-16', Buffer.from(`\ufeff${pem.toString()}`, 'utf16le')],
    ['the old label', toPem('X509 CERTIFICATE', der)],
    [
      "OpenSSL's label, with settings behind the certificate",
      toPem('TRUSTED CERTIFICATE', Buffer.concat([der, Buffer.of(0x30, 0)])),
    ],
    ['a key beside it', `${fixture('leaf/p-256.sec1.pem').toString()}${pem.toString()}`],
  ])('reads %s', (_, bytes) => {
    expect(read(bytes)).toEqual([der.toString('hex')]);
  });

  it('reads several, in their order', () => {
    const both = [der, other].map((bytes) => bytes.toString('hex'));
    expect(read(Buffer.concat([der, other]))).toEqual(both);
    expect(read(toPem('CERTIFICATE', der) + toPem('CERTIFICATE', other))).toEqual(both);
  });

  it('keeps nothing of the input, which is wiped later', () => {
    for (const bytes of [Buffer.from(pem), Buffer.from(der)]) {
      const [certificate] = readCertificates(bytes, 'test.pem');
      bytes.fill(0);
      expect(Buffer.compare(certificate?.der ?? bytes, der)).toBe(0);
    }
  });

  it.each([
    ['text', 'no certificate at all'],
    ['white space', ' \n'],
    ['zeros', Buffer.alloc(100)],
    ['a key in PEM', fixture('leaf/p-256.pkcs8.pem')],
    ['a key in DER', fixture('leaf/p-256.pkcs8.der')],
    ['an encrypted key in DER', fixture('keys/encrypted.pkcs8.der')],
    ['a PKCS#12 file', Buffer.from('3005020103' + '3000', 'hex')],
    ['a PKCS#7 file', Buffer.from('300b06092a864886f70d010702', 'hex')],
    ['a request', toPem('CERTIFICATE REQUEST', der)],
  ])('finds none in %s', (_, bytes) => {
    expect(read(bytes)).toEqual([]);
  });

  it.each([
    ['base64 that is broken', pem.toString().replace('M', '*')],
    ['PEM that is cut off', pem.subarray(0, 500)],
    ['DER that is cut off', der.subarray(0, -1)],
    ['DER with something behind it', Buffer.concat([der, Buffer.of(0)])],
    ['PEM of truncated DER', toPem('CERTIFICATE', der.subarray(0, 100))],
    ['PEM with something behind the DER', toPem('CERTIFICATE', Buffer.concat([der, Buffer.of(0x30, 0)]))],
    ['one bad certificate among good ones', pem.toString() + toPem('CERTIFICATE', Buffer.of(0x30, 0))],
  ])('refuses %s, naming the source', async (_, bytes) => {
    const error = await expectCode(() => read(bytes), 'CERTIFICATE_INVALID');
    expect(error.message).toContain('test.pem');
  });
});
