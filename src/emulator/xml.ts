/** An XML element with attributes and children that are XML already. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>>,
  children: readonly string[],
): string {
  const open = Object.entries(attributes).map(([key, value]) => ` ${key}="${escape(value)}"`);
  return `<${name}${open.join('')}>${children.join('')}</${name}>`;
}

/** An XML element that holds text. */
export function text(name: string, value: string): string {
  return element(name, {}, [escape(value)]);
}

/** Control characters cannot stand in XML 1.0 (section 2.2), not even escaped. */
function escape(value: string): string {
  return value
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
