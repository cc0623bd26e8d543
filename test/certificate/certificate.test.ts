import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/certificate/certificate.ts';
import { formatName } from '../../src/certificate/name.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { expectCode } from '../support/errors.ts';
import { derOf, fixture, fixtures } from '../support/fixtures.ts';
import { issue, makeAuthority } from '../support/pki.ts';

const authority = makeAuthority();
const certificates = ['authority', 'leaf', 'unsuitable'].flatMap((folder) =>
  fixtures(folder).filter((name) => fixture(name).includes('BEGIN CERTIFICATE')),
);

describe('parseCertificate', () => {
  it('has every fixture to be held against', () => {
    expect(certificates.length).toBeGreaterThanOrEqual(18);
  });

  it.each(certificates)('reads %s as node:crypto does', (name) => {
    const der = derOf(fixture(name));
    const own = parseCertificate(der);
    const other = new X509Certificate(der);
    expect(Buffer.compare(own.der, other.raw)).toBe(0);
    expect(own.serialNumber).toBe(BigInt(`0x${other.serialNumber}`));
    expect(Buffer.compare(own.publicKey, other.publicKey.export({ format: 'der', type: 'spki' }))).toBe(0);
    expect(own.notBefore).toEqual(new Date(other.validFrom));
    expect(own.notAfter).toEqual(new Date(other.validTo));
    expect(own.isAuthority ?? false).toBe(other.ca);
  });

  it('reads what node:crypto does not tell', () => {
    const parse = (name: string) => parseCertificate(derOf(fixture(name)));
    expect(parse('leaf/p-256.pem')).toMatchObject({
      version: 3,
      isAuthority: false,
      digitalSignature: true,
      signatureAlgorithm: '1.2.840.113549.1.1.11',
      signatureHash: 'SHA-256',
    });
    expect(parse('authority/root.pem')).toMatchObject({ isAuthority: true, digitalSignature: false });
    expect(parse('unsuitable/version-1.pem')).toMatchObject({
      version: 1,
      isAuthority: undefined,
      digitalSignature: undefined,
    });
    expect(parse('unsuitable/no-key-usage.pem')).toMatchObject({
      isAuthority: false,
      digitalSignature: undefined,
    });
    expect(parse('unsuitable/no-basic-constraints.pem')).toMatchObject({
      isAuthority: undefined,
      digitalSignature: true,
    });
    expect(parse('unsuitable/wrong-key-usage.pem').digitalSignature).toBe(false);
    expect(parse('unsuitable/sha-1.pem').signatureHash).toBe('SHA-1');
    expect(parse('unsuitable/md5.pem').signatureHash).toBe('MD5');
    expect(parse('unsuitable/pss-sha-1.pem').signatureHash).toBe('SHA-1');
    expect(parse('unsuitable/pss-sha-256.pem').signatureHash).toBe('SHA-256');
  });

  it('reads ECDSA signatures and every serial number', () => {
    const parse = (options: Parameters<typeof issue>[1]) =>
      parseCertificate(issue(authority, options).certificateDer);
    expect(parse({ hash: 'sha1' }).signatureHash).toBe('SHA-1');
    expect(parse({ hash: 'sha384' })).toMatchObject({
      signatureAlgorithm: '1.2.840.10045.4.3.3',
      signatureHash: 'SHA-384',
    });
    for (const serial of [0n, 1n, 127n, 128n, 255n, 2n ** 159n - 1n, 2n ** 159n]) {
      expect(parse({ serial }).serialNumber).toBe(serial);
    }
    expect(parse({ keyUsage: [] }).digitalSignature).toBe(false);
    const farOff = new Date('2049-12-31T23:59:59Z');
    const farther = new Date('2050-01-01T00:00:00Z');
    expect(parse({ notBefore: farOff, notAfter: farther })).toMatchObject({
      notBefore: farOff,
      notAfter: farther,
    });
  });
});

describe('hostile certificates', () => {
  const der = derOf(fixture('leaf/p-256.pem'));

  it('every beginning of a certificate is refused', async () => {
    for (let length = 0; length < der.length; length += 1) {
      await expectCode(() => parseCertificate(der.subarray(0, length)), 'CERTIFICATE_INVALID');
    }
    await expectCode(() => parseCertificate(Buffer.concat([der, Buffer.of(0)])), 'CERTIFICATE_INVALID');
  });

  it('a certificate with any byte changed is read or refused, and its names can be shown', () => {
    const flips = fc.array(fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(flips, (list) => {
        const bytes = Buffer.from(der);
        for (const [offset, mask] of list) bytes[offset] = (bytes[offset] ?? 0) ^ mask;
        try {
          const certificate = parseCertificate(bytes);
          expect(formatName(certificate.subject)).not.toMatch(/\p{Cc}/u);
        } catch (error) {
          expect(error).toBeInstanceOf(RolesAnywhereError);
          expect(error).toMatchObject({ code: 'CERTIFICATE_INVALID' });
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('two signature algorithms in one certificate are refused', async () => {
    const bytes = Buffer.from(der);
    // sha256WithRSAEncryption behind the body becomes sha384WithRSAEncryption.
    const outer = bytes.lastIndexOf(Buffer.from('2a864886f70d01010b', 'hex'));
    bytes[outer + 8] = 0x0c;
    await expectCode(() => parseCertificate(bytes), 'CERTIFICATE_INVALID');
  });

  it('an extension that stands there twice is refused', async () => {
    const bytes = Buffer.from(der);
    // extKeyUsage becomes a second keyUsage.
    const extension = bytes.indexOf(Buffer.from('0603551d25', 'hex'));
    bytes[extension + 4] = 0x0f;
    await expectCode(() => parseCertificate(bytes), 'CERTIFICATE_INVALID');
  });
});
