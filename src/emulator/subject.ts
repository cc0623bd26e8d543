import { createHash } from 'node:crypto';
import type { EmulatorCertificate } from './certificate.ts';
import type { DistinguishedName } from './names.ts';
import { accessDenied } from './service-error.ts';

/** The serial number in hexadecimal, an even number of digits, lower case: the default session name. */
export function serialHex(certificate: EmulatorCertificate): string {
  const hex = certificate.serialNumber.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}

/**
 * `CN=` and the subject's common name, or the bare name where the prefix would make it longer than the 64 characters
 * that STS allows; `ID=` and the serial number where there is no common name.
 *
 * @throws ServiceError when the common name is too long
 */
export function sourceIdentity(certificate: EmulatorCertificate): string {
  const name = firstValue(certificate.subject, 'CN');
  if (name === undefined) {
    return `ID=${serialHex(certificate)}`;
  }
  const { length } = Array.from(name);
  // Longer than X.520 lets a common name be (upper bound 64), and longer than a source identity may be.
  if (length > 64) {
    throw accessDenied(
      'Unable to assume role',
      `the common name is ${length} characters long, and 64 are allowed`,
    );
  }
  return length <= 61 ? `CN=${name}` : name;
}

/** A stable UUID of the subject, under which the service lists what it has seen. */
export function subjectId(certificate: EmulatorCertificate): string {
  const hash = createHash('sha256').update(certificate.subject.der).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}

/**
 * The session tags of the default attribute mapping (Roles Anywhere user guide, "Certificate attribute mapping"):
 * every attribute of subject and issuer, and the first alternative name of each kind. Where an attribute repeats,
 * the first counts: a session has each tag once.
 */
export function sessionTags(certificate: EmulatorCertificate): Readonly<Record<string, string>> {
  const tags = new Map<string, string>();
  const add = (key: string, value: string): void => {
    if (!tags.has(key)) {
      tags.set(key, value);
    }
  };
  for (const [type, value] of certificate.subject.attributes) {
    add(`x509Subject/${type}`, value);
  }
  for (const [type, value] of certificate.issuer.attributes) {
    add(`x509Issuer/${type}`, value);
  }
  for (const name of certificate.alternativeNames) {
    if (name.form === 'dns' || name.form === 'uri') {
      add(`x509SAN/${name.form.toUpperCase()}`, name.text);
    }
  }
  const directory = certificate.alternativeNames.find((name) => name.form === 'directory');
  for (const [type, value] of directory?.name.attributes ?? []) {
    add(`x509SAN/Name/${type}`, value);
  }
  return Object.fromEntries(tags);
}

function firstValue(name: DistinguishedName, type: string): string | undefined {
  return name.attributes.find(([key]) => key === type)?.[1];
}
