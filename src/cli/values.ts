import { RolesAnywhereError } from '../errors.ts';

/** Go's integer literals, as strconv.ParseInt takes them in base 0: the old helper reads its numbers by it. */
const integer =
  /^([+-]?)(?:0[xX]((?:_?[\da-fA-F])+)|0[bB]((?:_?[01])+)|0[oO]?((?:_?[0-7])+)|(0|[1-9](?:_?\d)*))$/;

/**
 * A whole number as the command line gives it: in decimal, hexadecimal (`0x384`), binary (`0b11`) or octal (`0o17`,
 * `017`), with underscores between digits.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function wholeNumber(option: string, text: string, least = 0, most = 999_999_999): number {
  const number = readInteger(text);
  if (number !== undefined && number >= least && number <= most) return number;
  throw new RolesAnywhereError(
    'INVALID_ARGUMENT',
    number === undefined
      ? `--${option} takes a whole number, not ${text}`
      : `--${option} ${text} is out of range`,
    { hint: `write a whole number from ${least} to ${most}` },
  );
}

function readInteger(text: string): number | undefined {
  const [, sign, hexadecimal, binary, octal, decimal] = integer.exec(text) ?? [];
  const digits = hexadecimal ?? binary ?? octal ?? decimal;
  if (digits === undefined) return undefined;
  const base = hexadecimal !== undefined ? 16 : binary !== undefined ? 2 : octal !== undefined ? 8 : 10;
  const size = Number.parseInt(digits.replaceAll('_', ''), base);
  return sign === '-' && size !== 0 ? -size : size;
}

/**
 * One of a few words.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function oneOf<const W extends string>(option: string, text: string, words: readonly W[]): W {
  const word = words.find((each) => each === text);
  if (word !== undefined) return word;
  throw new RolesAnywhereError('INVALID_ARGUMENT', `--${option} takes no ${text}`, {
    hint: `write one of ${words.join(', ')}`,
  });
}

/**
 * `NAME=VALUE` words as a map; a repeated name's last value counts.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function nameValues(option: string, texts: readonly string[]): Readonly<Record<string, string>> {
  const entries = texts.map((text) => {
    const equals = text.indexOf('=');
    if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)] as const;
    throw new RolesAnywhereError('INVALID_ARGUMENT', `--${option} takes NAME=VALUE, not ${text}`);
  });
  return Object.fromEntries(entries);
}
