import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/certificate/certificate.ts';
import { parseSelector, selectCertificate } from '../../src/certificate/selector.ts';
import { expectCode } from '../support/errors.ts';
import { issue, makeAuthority } from '../support/pki.ts';

const authority = makeAuthority({ name: 'authority' });
const days = (count: number): Date => new Date(Date.now() + count * 86_400_000);
const certify = (name: string, serial: bigint, notAfter = days(1)) =>
  parseCertificate(issue(authority, { name, serial, notAfter }).certificateDer);
const one = certify('one', 0x2a0005n);
const two = certify('two', 0xff_ffff_ffff_ffff_ffff_ffff_ffff_ffff_fffen);
const twoRenewed = certify('two', 7n, days(3));
const all = [one, two, twoRenewed];

const matching = (text: string) => {
  const selector = parseSelector(text);
  return all.filter((certificate) => selector.matches(certificate));
};
const select = (text: string, latest = false) =>
  selectCertificate(all, parseSelector(text), latest, 'bundle.pem');

describe('parseSelector', () => {
  it.each([
    'Key=x509Subject,Value=CN=one',
    'Key=x509Subject,Value=CN=one Key=x509Issuer,Value=CN=authority',
    '  Key=x509Subject,Value=CN=one   Key=x509Serial,Value=2A0005  ',
    'Key=x509Serial,Value=2A0005Key=x509Subject,Value=CN=one',
    '[{"Key":"x509Subject","Value":"CN=one"}]',
    '[{"key":"x509Subject","value":"CN=one"},{"Key":"x509Serial","Value":"2a0005"}]',
    '{"Key":"x509Subject","Value":"CN=one"}',
    '{"x509Subject":"CN=one","x509Serial":"2A:00:05"}',
    ' [ { "Key" : "x509Subject" , "Value" : "/CN=one" } ]\n',
  ])('reads %s', (text) => {
    expect(matching(text)).toEqual([one]);
  });

  // The old helper reads 2A:00:05 as 0x2A and 0x2A as 0, so that another certificate may be picked.
  it.each(['2A0005', '2a0005', '2A:00:05', '2a 00 05', '0x2A0005', '0X2a0005', '00002A0005', '00:2A:00:05'])(
    'takes serial number %s for the one that it is',
    (serial) => {
      expect(matching(`Key=x509Serial,Value=${serial}`)).toEqual([one]);
    },
  );

  it('keeps every bit of a serial number', () => {
    expect(matching('Key=x509Serial,Value=FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE')).toEqual([two]);
    expect(matching('Key=x509Serial,Value=FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF')).toEqual([]);
    expect(matching('Key=x509Serial,Value=2A')).toEqual([]);
    expect(matching('Key=x509Serial,Value=-2A0005')).toEqual([]);
  });

  it.each(['sha1', 'sha256'])('knows thumbprints by %s', (hash) => {
    const hex = createHash(hash).update(one.der).digest('hex');
    const colons = hex.toUpperCase().replace(/..(?!$)/g, '$&:');
    // The Windows dialog puts an invisible mark in front.
    for (const text of [hex, hex.toUpperCase(), colons, `\u200e${hex.replace(/..(?!$)/g, '$& ')}`]) {
      expect(matching(`Key=x509Thumbprint,Value=${text}`), text).toEqual([one]);
    }
    expect(
      matching(`Key=x509Thumbprint,Value=${hex.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))}`),
    ).toEqual([]);
  });

  it('asks for all that it says', () => {
    expect(matching('Key=x509Subject,Value=CN=two')).toEqual([two, twoRenewed]);
    expect(matching('Key=x509Subject,Value=CN=two Key=x509Serial,Value=7')).toEqual([twoRenewed]);
    expect(matching('Key=x509Subject,Value=CN=one Key=x509Serial,Value=7')).toEqual([]);
    expect(matching('Key=x509Issuer,Value=CN=stranger')).toEqual([]);
  });

  it.each([
    '',
    'CN=one',
    'Key=x509Subject',
    'Key=x509Subject,Value=',
    'Key=x509Subject;Value=CN=one',
    'garbage Key=x509Subject,Value=CN=one',
    'Key=subject,Value=CN=one',
    'Key=constructor,Value=CN=one',
    'Key=x509Subject,Value=CN=one Key=x509Subject,Value=CN=two',
    'Key=x509Subject,Value=nonsense',
    'Key=x509Serial,Value=nonsense',
    'Key=x509Serial,Value=0x',
    'Key=x509Thumbprint,Value=aabb',
    `Key=x509Thumbprint,Value=${'zz'.repeat(20)}`,
    '[]',
    '{}',
    '[',
    '[1]',
    '[null]',
    '[{"Key":"x509Subject"}]',
    '[{"Key":"x509Subject","Value":1}]',
    '[{"Key":"x509Subject","Value":"CN=one"},{"Key":"x509Subject","Value":"CN=one"}]',
    '',
  ])('refuses %j', async (text) => {
    await expectCode(() => parseSelector(text), 'INVALID_ARGUMENT');
  });
});

describe('selectCertificate', () => {
  it('takes the one', () => {
    expect(select('Key=x509Subject,Value=CN=one')).toBe(one);
  });

  it('lists what there is when nothing matches', async () => {
    const error = await expectCode(() => select('Key=x509Subject,Value=CN=three'), 'CERTIFICATE_NOT_FOUND');
    for (const word of ['CN=one', 'CN=two', '2A0005', 'bundle.pem']) expect(error.message).toContain(word);
  });

  it('lists those that match when they are several', async () => {
    const error = await expectCode(() => select('Key=x509Subject,Value=CN=two'), 'CERTIFICATE_AMBIGUOUS');
    expect(error.message).toContain('serial 7');
    expect(error.message).not.toContain('CN=one');
  });

  it('takes the one that expires last where that is asked for', () => {
    expect(select('Key=x509Subject,Value=CN=two', true)).toBe(twoRenewed);
  });

  it('counts a certificate once that stands there twice', () => {
    const selector = parseSelector('Key=x509Subject,Value=CN=one');
    expect(selectCertificate([one, parseCertificate(one.der), two], selector, false, 'x').serialNumber).toBe(
      one.serialNumber,
    );
  });

  it('lists ten of a hundred', async () => {
    const many = Array.from({ length: 100 }, (_, index) => certify('same', BigInt(index + 1)));
    const selector = parseSelector('Key=x509Subject,Value=CN=same');
    const error = await expectCode(
      () => selectCertificate(many, selector, false, 'x'),
      'CERTIFICATE_AMBIGUOUS',
    );
    expect(error.message).toContain('90 more');
    expect(error.message.length).toBeLessThan(2000);
  });
});
