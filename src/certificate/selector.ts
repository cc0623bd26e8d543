import { createHash } from 'node:crypto';
import { EncodingError } from '../encoding/encoding-error.ts';
import { RolesAnywhereError } from '../errors.ts';
import type { Certificate } from './certificate.ts';
import { parseDistinguishedName } from './distinguished-name.ts';
import { describeCertificate, timestamp } from './suitability.ts';

/** Which certificates are meant; all of what it says must hold. */
export interface CertificateSelector {
  matches(certificate: Certificate): boolean;
}

type Test = CertificateSelector['matches'];

/** What may be selected by, and how each value is read. The readers throw EncodingError. */
const readers: Readonly<Record<string, (value: string) => Test>> = {
  x509Subject(value) {
    const name = parseDistinguishedName(value);
    return ({ subject }) => name.matches(subject);
  },
  x509Issuer(value) {
    const name = parseDistinguishedName(value);
    return ({ issuer }) => name.matches(issuer);
  },
  x509Serial(value) {
    const [, sign, digits = ''] = /^([+-]?)(?:0x)?([\da-f]+)$/i.exec(withoutSeparators(value)) ?? [];
    if (digits === '') throw new EncodingError('it is no number in hexadecimal');
    const wanted = BigInt(`0x${digits}`) * (sign === '-' ? -1n : 1n);
    return ({ serialNumber }) => serialNumber === wanted;
  },
  x509Thumbprint(value) {
    const wanted = withoutSeparators(value).toLowerCase();
    const hash = { 40: 'sha1', 64: 'sha256' }[wanted.length];
    if (hash === undefined || !/^[\da-f]+$/.test(wanted)) {
      throw new EncodingError('it is no SHA-1 or SHA-256 thumbprint in hexadecimal');
    }
    return ({ der }) => createHash(hash).update(der).digest('hex') === wanted;
  },
};

/** Colons and spaces; and the invisible mark that Windows puts in front of what one copies from its dialogs. */
function withoutSeparators(value: string): string {
  return value.replace(/[\s:\u200e]/g, '');
}

/**
 * Reads `Key=x509Subject,Value=CN=x Key=x509Serial,Value=2A`, or JSON: `[{"Key":"x509Subject","Value":"CN=x"}, …]`, one
 * such object, or `{"x509Subject":"CN=x", …}`.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function parseSelector(text: string): CertificateSelector {
  if (text === '') throw invalid('is empty', 'a variable in the command may be unset');
  const tests = new Map<string, Test>();
  for (const [key, value] of readPairs(text)) {
    const reader = Object.hasOwn(readers, key) ? readers[key] : undefined;
    if (reader === undefined)
      throw invalid(`selects by ${key}`, `select by ${Object.keys(readers).join(', ')}`);
    if (tests.has(key)) throw invalid(`has ${key} twice`);
    try {
      tests.set(key, reader(value));
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error;
      throw invalid(`has an ${key} that cannot be read: ${error.message}`);
    }
  }
  if (tests.size === 0) throw invalid('selects by nothing');
  const all = [...tests.values()];
  return { matches: (certificate) => all.every((test) => test(certificate)) };
}

const usage = 'write it as in: Key=x509Subject,Value=CN=name Key=x509Serial,Value=01AB';

function invalid(why: string, hint = usage): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', `--cert-selector ${why}`, { hint });
}

function readPairs(text: string): readonly (readonly [key: string, value: string])[] {
  const trimmed = text.trim();
  return /^[[{]/.test(trimmed) ? readJson(trimmed) : readInline(trimmed);
}

/** As the old helper reads it: a value ends at the next `Key=`. */
function readInline(text: string): (readonly [string, string])[] {
  const pattern = /\s*Key=(.+?),Value=(.+?)\s*(?=Key=|$)/gy;
  const pairs = [...text.matchAll(pattern)];
  if (pairs.reduce((length, [whole]) => length + whole.length, 0) !== text.length) {
    throw invalid('cannot be read');
  }
  return pairs.map(([, key = '', value = '']) => [key, value]);
}

function readJson(text: string): (readonly [string, string])[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid('is not whole JSON');
  }
  return (Array.isArray(json) ? json : [json]).flatMap((item: unknown) => {
    if (typeof item !== 'object' || item === null) throw invalid('holds JSON of another shape');
    const entries = Object.entries(item);
    if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
      throw invalid('holds JSON whose values are not all texts');
    }
    // Go matches names without regard to case.
    const pair = new Map(entries.map(([name, value]) => [name.toLowerCase(), value]));
    const [key, value] = [pair.get('key'), pair.get('value')];
    return key !== undefined && value !== undefined ? [[key, value] as const] : entries;
  });
}

/**
 * Every certificate that matches, once each, in their order.
 *
 * @param where as messages shall call what was searched: `bundle.pem`
 * @throws RolesAnywhereError CERTIFICATE_NOT_FOUND, which lists what was there
 */
export function matchingCertificates(
  certificates: readonly Certificate[],
  selector: CertificateSelector,
  where: string,
): readonly [Certificate, ...Certificate[]] {
  const different = new Map(certificates.map((one) => [Buffer.from(one.der).toString('base64'), one]));
  const [first, ...others] = [...different.values()].filter((certificate) => selector.matches(certificate));
  if (first !== undefined) return [first, ...others];
  throw new RolesAnywhereError(
    'CERTIFICATE_NOT_FOUND',
    `--cert-selector matches none of the certificates in ${where}: ${list([...different.values()])}`,
  );
}

/**
 * The one certificate that is meant.
 *
 * @param latest of several, take the one that expires last
 * @param where as messages shall call what was searched: `bundle.pem`
 * @throws RolesAnywhereError CERTIFICATE_NOT_FOUND or CERTIFICATE_AMBIGUOUS, which lists what was there
 */
export function selectCertificate(
  certificates: readonly Certificate[],
  selector: CertificateSelector,
  latest: boolean,
  where: string,
): Certificate {
  const matching = matchingCertificates(certificates, selector, where);
  const byExpiry = matching.toSorted((a, b) => +b.notAfter - +a.notAfter);
  const [first = matching[0]] = byExpiry;
  if (matching.length === 1 || latest) return first;
  throw new RolesAnywhereError(
    'CERTIFICATE_AMBIGUOUS',
    `--cert-selector matches ${matching.length} certificates in ${where}: ${list(byExpiry)}`,
    { hint: 'add its x509Serial, or take the one that expires last with --use-latest-expiring-certificate' },
  );
}

/** Enough of them to recognise one. */
function list(certificates: readonly Certificate[]): string {
  const shown = certificates
    .slice(0, 10)
    .map((certificate) => `${describeCertificate(certificate)}, until ${timestamp(certificate.notAfter)}`);
  const left = certificates.length - shown.length;
  return [...shown, ...(left > 0 ? [`and ${left} more`] : [])].join('; ');
}
