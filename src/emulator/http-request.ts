/** A request as it came over the wire: nothing decoded, nothing folded, since signatures cover the bytes. */
export interface HttpRequest {
  readonly method: string;
  /** The path as sent, percent-escapes and all. */
  readonly path: string;
  /** What follows the first question mark, as sent. */
  readonly query: string;
  /** Name and value pairs in the order sent; names in lower case, each value one character a byte (latin1). */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** Every value of a header, in the order sent. */
export function headerValues(request: HttpRequest, name: string): readonly string[] {
  return request.headers.filter(([key]) => key === name).map(([, value]) => value);
}

/** The value of a header that is present exactly once. */
export function singleHeader(request: HttpRequest, name: string): string | undefined {
  const values = headerValues(request, name);
  return values.length === 1 ? values[0] : undefined;
}

/**
 * Splits `a=1&b=2` and undoes the escapes, as bytes (one character each); a plus sign is a space, as every server
 * reads it (WHATWG URL, "application/x-www-form-urlencoded parsing"). A percent sign that escapes nothing stands for
 * itself.
 */
export function parsePairs(text: string): readonly (readonly [name: string, value: string])[] {
  return text
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0
        ? [unescape(pair), '']
        : [unescape(pair.slice(0, equals)), unescape(pair.slice(equals + 1))];
    });
}

function unescape(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** One character a byte, as {@link parsePairs} gives it, to the text that those bytes are in UTF-8. */
export function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
