import type { X509 } from './x509.ts';

/** A Name (RFC 5280, section 4.1.2.4). */
export interface DistinguishedName {
  /** DER in hexadecimal, for comparing. */
  readonly der: string;
  /** RFC 4514, for people. */
  readonly text: string;
  /** Short name (or object identifier) and value of each attribute, in the certificate's order. */
  readonly attributes: readonly (readonly [type: string, value: string])[];
  /** Each relative name in a form in which equal ones are equal, letter case aside. */
  readonly relativeNames: readonly string[];
}

/** A GeneralName (RFC 5280, section 4.2.1.6); the forms that nothing here looks into go by their tag. */
export type GeneralName =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly text: string }
  | { readonly form: 'ip'; readonly bytes: Buffer }
  | { readonly form: 'directory'; readonly name: DistinguishedName }
  | { readonly form: `tag ${number}` };

/** The name space that an authority's certificate leaves to those below it (RFC 5280, section 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

export function readDistinguishedName(name: InstanceType<X509['Name']>): DistinguishedName {
  const relativeNames = name.toJSON();
  return {
    der: Buffer.from(name.toArrayBuffer()).toString('hex'),
    text: name.toString(),
    attributes: relativeNames.flatMap((relative) =>
      Object.entries(relative).flatMap(([type, values]) =>
        values.map((value): [string, string] => [type, value]),
      ),
    ),
    relativeNames: relativeNames.map((relative) => JSON.stringify(relative).toLowerCase()),
  };
}

/** @throws Error when the value of a subjectAltName extension is malformed */
export function readAlternativeNames(x509: X509, value: Buffer): readonly GeneralName[] {
  return elements(only(value)).map((element) => readGeneralName(x509, element));
}

/** @throws Error when the value of a nameConstraints extension is malformed */
export function readNameConstraints(x509: X509, value: Buffer): NameConstraints {
  const subtrees = (tag: number): readonly GeneralName[] =>
    elements(only(value))
      .filter((element) => element.tag === tag)
      .flatMap(({ content }) => elements(content))
      .map(({ content }) => {
        const [base, ...distances] = elements(content);
        if (base === undefined || distances.length > 0) {
          throw new Error('its name constraints have a minimum or a maximum'); // RFC 5280 allows neither
        }
        return readGeneralName(x509, base);
      });
  return { permitted: subtrees(0xa0), excluded: subtrees(0xa1) };
}

function readGeneralName(x509: X509, { tag, content }: Element): GeneralName {
  switch (tag) {
    case 0x81:
      return { form: 'email', text: content.toString('latin1') };
    case 0x82:
      return { form: 'dns', text: content.toString('latin1') };
    case 0x86:
      return { form: 'uri', text: content.toString('latin1') };
    case 0x87:
      return { form: 'ip', bytes: content };
    case 0xa4:
      return { form: 'directory', name: readDistinguishedName(new x509.Name(content)) };
    default:
      return { form: `tag ${tag}` };
  }
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/** The content of the one element that the bytes are. */
function only(bytes: Buffer): Buffer {
  const [element, ...rest] = elements(bytes);
  if (element === undefined || rest.length > 0) {
    throw new Error('an extension is not one DER element');
  }
  return element.content;
}

/** The DER elements (X.690, section 8.1) that stand one behind the other. */
function elements(bytes: Buffer): readonly Element[] {
  const found: Element[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const tag = bytes.readUInt8(offset);
    const first = bytes.readUInt8(offset + 1);
    const size = first > 0x80 ? first & 0x7f : 0;
    const start = offset + 2 + size;
    const length = size > 0 ? bytes.readUIntBE(offset + 2, size) : first;
    if (first === 0x80 || start + length > bytes.length) {
      throw new Error('an extension is cut off');
    }
    found.push({ tag, content: bytes.subarray(start, start + length) });
    offset = start + length;
  }
  return found;
}
