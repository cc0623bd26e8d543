import { isIP } from 'node:net';
import type { EmulatorCertificate } from './certificate.ts';
import type { GeneralName, NameConstraints } from './names.ts';

/**
 * What is wrong with a certificate's names under the constraints of an authority above it (RFC 5280, sections
 * 4.2.1.10 and 6.1.3 (b) and (c)), or undefined. A constraint on a form of name that cannot be judged here refuses
 * every name of that form.
 */
export function nameDefect(
  certificate: EmulatorCertificate,
  { permitted, excluded }: NameConstraints,
): string | undefined {
  const refused = allNames(certificate).find((name) => {
    const allowed = permitted.filter(({ form }) => form === name.form);
    const forbidden = excluded.filter(({ form }) => form === name.form);
    return (
      (allowed.length > 0 && !allowed.some((base) => isWithin(name, base) === true)) ||
      forbidden.some((base) => isWithin(name, base) !== false)
    );
  });
  return refused && `has the name ${describe(refused)}, outside the name constraints above it`;
}

/** The subject, its e-mail addresses, and the alternative names. */
function allNames({ subject, alternativeNames }: EmulatorCertificate): readonly GeneralName[] {
  return [
    { form: 'directory', name: subject },
    ...subject.attributes
      .filter(([type]) => type === 'E')
      .map(([, text]) => ({ form: 'email', text }) as const),
    ...alternativeNames,
  ];
}

/** Whether a name lies in the subtree of another of its form; undefined where that cannot be judged. */
function isWithin(name: GeneralName, base: GeneralName): boolean | undefined {
  if (name.form === 'directory' && base.form === 'directory') {
    return base.name.relativeNames.every((relative, index) => name.name.relativeNames[index] === relative);
  }
  if (name.form === 'dns' && base.form === 'dns') {
    return (
      base.text === '' || same(name.text, base.text) || isBelow(name.text, base.text.replace(/^\.?/, '.'))
    );
  }
  if (name.form === 'email' && base.form === 'email') {
    const at = name.text.lastIndexOf('@');
    const host = name.text.slice(at + 1);
    return base.text.includes('@')
      ? same(host, base.text.slice(at + 1)) && name.text.slice(0, at) === base.text.slice(0, at)
      : isHost(host, base.text);
  }
  if (name.form === 'uri' && base.form === 'uri') {
    const host = /^[^:/?#]+:\/\/(?:[^/?#@]*@)?([^/?#:]+)(?::\d*)?(?:[/?#]|$)/.exec(name.text)?.[1];
    return host === undefined || isIP(host) !== 0 ? undefined : isHost(host, base.text);
  }
  if (name.form === 'ip' && base.form === 'ip') {
    // An address, and as many bytes again of mask.
    const size = name.bytes.length;
    return (
      base.bytes.length === 2 * size &&
      name.bytes.every((byte, index) => {
        const mask = base.bytes[size + index] ?? 0;
        return (byte & mask) === ((base.bytes[index] ?? 0) & mask);
      })
    );
  }
  return undefined;
}

/** With a dot in front, every host below the domain; without, that host alone. */
function isHost(host: string, base: string): boolean {
  return base.startsWith('.') ? isBelow(host, base) : same(host, base);
}

function isBelow(host: string, domain: string): boolean {
  return host.toLowerCase().endsWith(domain.toLowerCase());
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function describe(name: GeneralName): string {
  switch (name.form) {
    case 'directory':
      return name.name.text;
    case 'dns':
    case 'email':
    case 'uri':
      return name.text;
    case 'ip':
      return `with address ${name.bytes.toString('hex')}`;
    default:
      return `with ${name.form}`;
  }
}
