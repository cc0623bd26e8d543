import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/certificate/certificate.ts';
import { checkSuitability, warnOfExpiry } from '../../src/certificate/suitability.ts';
import { expectCode } from '../support/errors.ts';
import { derOf, fixture } from '../support/fixtures.ts';
import { issue, makeAuthority } from '../support/pki.ts';

const date = new Date('2030-06-15T12:00:00Z');
const check = (name: string, now = date): string[] => {
  const warnings: string[] = [];
  const reporter = { warn: (message: string) => warnings.push(message), debug: () => undefined };
  checkSuitability(parseCertificate(derOf(fixture(name))), now, reporter);
  return warnings;
};

describe('checkSuitability', () => {
  it.each([
    'leaf/rsa-2048.pem',
    'leaf/p-256.pem',
    'leaf/p-384.pem',
    'leaf/p-521.pem',
    'unsuitable/pss-sha-256.pem',
  ])('accepts %s without a word', (name) => {
    expect(check(name)).toEqual([]);
  });

  it.each([
    ['version-1', '1'],
    ['authority', 'CA:true'],
    ['sha-1', 'SHA-1'],
    ['md5', 'MD5'],
    ['pss-sha-1', 'SHA-1'],
    ['wrong-key-usage', 'digitalSignature'],
    ['no-subject', 'subject'],
  ])('refuses %s', async (name, word) => {
    const error = await expectCode(() => check(`unsuitable/${name}.pem`), 'CERTIFICATE_UNSUITABLE');
    expect(error.message).toContain(word);
    expect(error.hint).toBeDefined();
  });

  it.each([
    ['no-key-usage', 'keyUsage'],
    ['no-basic-constraints', 'basicConstraints'],
  ])('warns of %s', (name, word) => {
    const warnings = check(`unsuitable/${name}.pem`);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(word);
  });

  it.each([
    ['P-256', 'sha1', 'SHA-1'],
    ['P-256', 'sha224', 'SHA-224'],
    ['rsa-2048', 'sha224', 'SHA-224'],
  ] as const)('refuses what a key %s signed over %s', async (keyType, hash, word) => {
    const { certificateDer } = issue(makeAuthority({ keyType }), { hash });
    const reporter = { warn: () => undefined, debug: () => undefined };
    const call = () => {
      checkSuitability(parseCertificate(certificateDer), new Date(), reporter);
    };
    expect((await expectCode(call, 'CERTIFICATE_UNSUITABLE')).message).toContain(word);
  });

  // The leaf is valid from 2020-01-01T00:00:00Z to 2126-01-01T00:00:00Z, both included.
  it.each(['2020-01-01T00:00:00Z', '2126-01-01T00:00:00Z'])('accepts the last moment, %s', (moment) => {
    expect(check('leaf/p-256.pem', new Date(moment))).toEqual([]);
  });

  it.each([
    ['2126-01-01T00:00:00.001Z', 'CERTIFICATE_EXPIRED', '1 second ago'],
    ['2126-01-01T00:01:00Z', 'CERTIFICATE_EXPIRED', 'expired 60 seconds ago'],
    ['2126-01-02T23:00:00Z', 'CERTIFICATE_EXPIRED', 'expired 47 hours ago'],
    ['2126-01-03T00:00:09Z', 'CERTIFICATE_EXPIRED', 'expired 2 days ago'],
    ['2126-01-03T13:00:00Z', 'CERTIFICATE_EXPIRED', 'expired 3 days ago'],
    ['2126-01-01T05:00:01Z', 'CERTIFICATE_EXPIRED', '5 hours ago'],
    ['2126-01-04T00:00:00Z', 'CERTIFICATE_EXPIRED', '3 days ago'],
    ['2019-12-31T23:59:59Z', 'CERTIFICATE_NOT_YET_VALID', 'in 1 second'],
    ['2019-12-31T23:30:00Z', 'CERTIFICATE_NOT_YET_VALID', 'in 30 minutes'],
    ['1970-01-01T00:00:00Z', 'CERTIFICATE_NOT_YET_VALID', 'in 18262 days'],
  ] as const)('at %s: %s, %s, and what the clock says', async (moment, code, span) => {
    const error = await expectCode(() => check('leaf/p-256.pem', new Date(moment)), code);
    expect(error.message).toContain(span);
    expect(error.message).toMatch(/serial 7F[0-9A-F]{38}/);
    expect(error.hint).toContain(moment.slice(0, 16));
  });

  it('says of a bad certificate first that its time is not now', async () => {
    await expectCode(() => check('unsuitable/expired.pem'), 'CERTIFICATE_EXPIRED');
    await expectCode(() => check('unsuitable/not-yet-valid.pem'), 'CERTIFICATE_NOT_YET_VALID');
  });
});

describe('warnOfExpiry', () => {
  const root = makeAuthority();
  const hours = (count: number): Date => new Date(date.getTime() + count * 3_600_000);
  it.each([
    ['a year', 365 * 24, 14 * 24],
    ['six weeks', 42 * 24, 14 * 24],
    ['a day', 24, 8],
    ['an hour', 1, 1 / 3],
  ])('speaks up in time for a certificate of %s', (_, life, ahead) => {
    const leaf = parseCertificate(issue(root, { notBefore: hours(-life), notAfter: date }).certificateDer);
    const warnings = (now: Date): string[] => {
      const said: string[] = [];
      warnOfExpiry(leaf, now, { warn: (message) => said.push(message), debug: () => undefined });
      return said;
    };
    expect(warnings(new Date(hours(-ahead).getTime() - 1000))).toEqual([]);
    expect(warnings(hours(-ahead))).toEqual([expect.stringContaining('2030-06-15T12:00:00Z')]);
    expect(warnings(date)).toHaveLength(1);
    expect(warnings(hours(1))).toEqual([]);
  });
});
