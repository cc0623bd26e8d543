/**
 * The text of the element that a path of names leads to, of each name the first element; undefined where there is none
 * or it holds anything but text.
 *
 * It reads the answers of the query protocol, whose elements have no comments, no CDATA and no child of their own name
 * (so that the next closing tag is theirs). What is written otherwise is not found, which is an error to the caller.
 */
export function xml(body: string, ...path: readonly string[]): string | undefined {
  let text: string | undefined = body;
  for (const name of path) text = contents(text ?? '', name);
  return text === undefined ? undefined : decode(text);
}

function contents(body: string, name: string): string | undefined {
  return new RegExp(`<${name}(?:\\s[^<>]*)?>([^]*?)</${name}\\s*>`).exec(body)?.[1];
}

/** Character data (XML 1.0, section 2.4): its references resolved, the line ends made one (section 2.11). */
function decode(text: string): string | undefined {
  let isText = !text.includes('<');
  const decoded = text.replace(/\r\n?/g, '\n').replace(/&([^;&]*);?/g, (reference, name: string) => {
    const [, hexadecimal, decimal] = /^#(?:x([\da-f]{1,6})|(\d{1,7}))$/i.exec(name) ?? [];
    const digits = hexadecimal ?? decimal;
    const point = digits === undefined ? NaN : Number.parseInt(digits, hexadecimal === undefined ? 10 : 16);
    const character = point <= 0x10ffff ? String.fromCodePoint(point) : entities.get(name);
    if (character === undefined || !reference.endsWith(';')) isText = false;
    return character ?? '';
  });
  return isText ? decoded : undefined;
}

const entities: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['amp', '&'],
]);
