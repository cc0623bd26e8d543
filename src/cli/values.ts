import { RolesAnywhereError } from '../errors.ts';

/**
 * A number as the command line gives it. Decimal alone: the old helper also takes `0x384`, `1_000` and reads `0900` as
 * octal, which nobody means.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function wholeNumber(option: string, text: string, least = 0, most = 999_999_999): number {
  const number = /^\+?(?:0|[1-9]\d{0,8})$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new RolesAnywhereError(
    'INVALID_ARGUMENT',
    `--${option} takes a whole number, not ${text || 'nothing'}`,
    {
      hint: `write it in digits alone, from ${least} to ${most}`,
    },
  );
}

/**
 * One of a few words.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function oneOf<const W extends string>(option: string, text: string, words: readonly W[]): W {
  const word = words.find((each) => each === text);
  if (word !== undefined) return word;
  throw new RolesAnywhereError('INVALID_ARGUMENT', `--${option} takes no ${text || 'empty value'}`, {
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
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      `--${option} takes NAME=VALUE, not ${text || 'nothing'}`,
    );
  });
  return Object.fromEntries(entries);
}
