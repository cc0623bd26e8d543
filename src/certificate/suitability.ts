import { RolesAnywhereError } from '../errors.ts';
import type { Reporter } from '../reporter.ts';
import type { Certificate } from './certificate.ts';
import { formatName } from './name.ts';

const day = 86_400_000;
const weakHashes = ['MD2', 'MD4', 'MD5', 'SHA-1', 'SHA-224'];

/**
 * Refuses a leaf that the service is known to refuse (IAM Roles Anywhere User Guide, trust-model, "Signature
 * validation"), before it costs a request whose answer gives no reason.
 *
 * @throws RolesAnywhereError CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID or CERTIFICATE_UNSUITABLE
 */
export function checkSuitability(leaf: Certificate, now: Date, reporter: Reporter): void {
  checkValidity(leaf, now);
  const refuse = (why: string, hint: string) => {
    throw new RolesAnywhereError('CERTIFICATE_UNSUITABLE', `${describeCertificate(leaf)} ${why}`, { hint });
  };
  if (leaf.version !== 3) {
    refuse(
      `is X.509 version ${leaf.version}`,
      'the service takes version 3 alone: have it issued with extensions',
    );
  }
  if (leaf.isAuthority === true) {
    refuse('is an authority (CA:true)', 'use an end-entity certificate that this authority issues');
  }
  if (leaf.digitalSignature === false) {
    refuse('has a keyUsage without digitalSignature', 'have it issued with keyUsage digitalSignature');
  }
  if (leaf.signatureHash !== undefined && weakHashes.includes(leaf.signatureHash)) {
    refuse(
      `is signed over ${leaf.signatureHash}`,
      'the service takes SHA-256 or stronger: have it issued anew',
    );
  }
  if (leaf.subject.length === 2) {
    refuse('has an empty subject', 'have it issued with a common name');
  }
  for (const [value, extension] of [
    [leaf.isAuthority, 'basicConstraints (CA:false)'],
    [leaf.digitalSignature, 'keyUsage (digitalSignature)'],
  ] as const) {
    if (value !== undefined) continue;
    reporter.warn(
      `${describeCertificate(leaf)} has no ${extension}, which IAM Roles Anywhere asks for`,
      'should the service refuse it, have it issued with that extension',
    );
  }
}

function checkValidity(leaf: Certificate, now: Date): void {
  const clock = () => `this machine's clock, which says ${timestamp(now)}`;
  if (now > leaf.notAfter) {
    throw new RolesAnywhereError(
      'CERTIFICATE_EXPIRED',
      `${describeCertificate(leaf)} expired ${span(+now - +leaf.notAfter)} ago, at ${timestamp(leaf.notAfter)}`,
      { hint: `renew it, or correct ${clock()}` },
    );
  }
  if (now < leaf.notBefore) {
    throw new RolesAnywhereError(
      'CERTIFICATE_NOT_YET_VALID',
      `${describeCertificate(leaf)} will be valid in ${span(+leaf.notBefore - +now)}, from ${timestamp(leaf.notBefore)}`,
      { hint: `wait until then, or correct ${clock()}` },
    );
  }
}

/** Which certificate it is, and for how long. */
export type CertificateOutline = Pick<Certificate, 'notBefore' | 'notAfter' | 'serialNumber' | 'subject'>;

/** Whether it is time to renew: 14 days before the end, or in the last third of a life that is short. */
export function expiresSoon(
  { notBefore, notAfter }: Pick<Certificate, 'notBefore' | 'notAfter'>,
  now: Date,
): boolean {
  const ahead = Math.min(14 * day, (+notAfter - +notBefore) / 3);
  return +now >= +notAfter - ahead;
}

/** Says on which day and at which time the certificate will end, once that is near. */
export function warnOfExpiry(leaf: CertificateOutline, now: Date, reporter: Reporter): void {
  if (!expiresSoon(leaf, now) || now > leaf.notAfter) return;
  reporter.warn(
    `${describeCertificate(leaf)} will expire at ${timestamp(leaf.notAfter)}`,
    'renew it in time',
  );
}

/** By its subject, and by its serial number as `openssl x509 -serial` writes it. */
export function describeCertificate({
  subject,
  serialNumber,
}: Pick<Certificate, 'subject' | 'serialNumber'>): string {
  return `certificate ${formatName(subject) || 'without a name'} (serial ${serialNumber.toString(16).toUpperCase()})`;
}

export function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+/, '');
}

/** A time span of so many milliseconds, in the largest unit that it has two of, rounded: `3 days`, `47 hours`. */
function span(milliseconds: number): string {
  const units = [
    ['day', day],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const;
  const [unit, size] = units.find(([, size]) => milliseconds >= 2 * size) ?? ['second', 1000];
  const count = Math.max(1, Math.round(milliseconds / size));
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
