import { commands, isCommandName } from './options.ts';
import type { Argument, Command, CommandName, Option, Values } from './options.ts';

/*
 * Why a reader of our own and not node:util's parseArgs: that knows no long name behind a single dash, no
 * `--debug=false`, and refuses a value that starts with a dash (`--pkcs8-password -abc`), all of which the old helper's
 * users write. Normalising those away first takes the very loop below, after which nothing is left to parse.
 */

/** A command line, understood. */
export type Reading<N extends CommandName = CommandName> = {
  readonly [C in N]: {
    readonly command: C;
    readonly values: Values<C>;
    readonly argument: string | undefined;
  };
}[N];

export type Value = string | boolean | readonly string[] | undefined;

export interface OptionToken {
  readonly kind: 'option';
  readonly name: string;
  /** Undefined for a flag without `=`, for an option whose value is missing, and for unknown ones. */
  readonly value: string | undefined;
  /** As it was typed, dashes included. */
  readonly written: string;
}

export type Token = { readonly kind: 'word'; readonly text: string } | OptionToken;

const help: Option = { kind: 'flag', group: 'General', description: '' };

/** Every option of every command: one name has one kind, so that options may also stand before the command. */
const allOptions: ReadonlyMap<string, Option> = new Map<string, Option>([
  ...Object.values(commands).flatMap(({ options }) => Object.entries(options)),
  ['help', help],
  ['h', help],
  ['version', help],
]);

/** The spellings of Go's strconv.ParseBool, which the old helper's flags take. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

export function parseFlag(value: string | undefined): boolean | undefined {
  return value === undefined ? true : booleans.get(value);
}

/**
 * Divides the words as Go's pflag does: `--a=b`, `--a b`, `--flag`, `--flag=false`; `--` ends the options; whatever
 * follows an option that takes a value is its value. One dash is as good as two.
 */
export function tokenize(words: readonly string[]): Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '--') {
      tokens.push(...words.slice(i + 1).map((text) => ({ kind: 'word', text }) as const));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      tokens.push({ kind: 'word', text: word });
      continue;
    }
    const equals = word.indexOf('=');
    const written = equals === -1 ? word : word.slice(0, equals);
    const name = written.replace(/^--?/, '');
    const kind = allOptions.get(name)?.kind ?? 'flag';
    const value = equals !== -1 ? word.slice(equals + 1) : kind === 'flag' ? undefined : words[++i];
    tokens.push({ kind: 'option', name, value, written });
  }
  return tokens;
}

/**
 * The options of the words and the other words. `--help=false` says nothing, and so is not there.
 */
export function divide(words: readonly string[]): {
  texts: readonly string[];
  given: readonly OptionToken[];
} {
  const tokens = tokenize(words);
  return {
    texts: tokens.flatMap((token) => (token.kind === 'word' ? [token.text] : [])),
    given: tokens.filter((token) => token.kind === 'option').filter((option) => !isNoHelp(option)),
  };
}

function isNoHelp({ name, value }: OptionToken): boolean {
  return (name === 'help' || name === 'h') && parseFlag(value) === false;
}

/**
 * Reads a command line that is in order. Anything else (nothing given, an unknown word, a missing option, a
 * contradiction) is undefined here and goes to careful-path.ts, which has the words for it.
 */
export function readFast(words: readonly string[]): Reading | undefined {
  const {
    texts: [name, ...others],
    given,
  } = divide(words);

  if (asks(given, 'help') || asks(given, 'h')) {
    return name === undefined || isCommandName(name) ? reading('help', {}, name) : undefined;
  }
  if (name === undefined) {
    return asks(given, 'version') && given.length === 1 ? reading('version', {}, undefined) : undefined;
  }
  if (!isCommandName(name)) return undefined;

  const command: Command = commands[name];
  const values = readValues(command.options, given);
  const [argument] = others;
  if (
    values === undefined ||
    !fits(command.argument, argument) ||
    others.length > (command.argument ? 1 : 0)
  ) {
    return undefined;
  }
  return reading(name, values, argument);
}

/** What a command without any option given has. */
export function defaultValues(options: Command['options']): Record<string, Value> {
  const values: Record<string, Value> = {};
  for (const [name, option] of Object.entries(options)) {
    values[name] = option.kind === 'flag' ? false : option.kind === 'list' ? [] : option.default;
  }
  return values;
}

/** The values are typed after the table they were read by. */
export function reading(
  command: CommandName,
  values: Readonly<Record<string, Value>>,
  argument: string | undefined,
): Reading {
  return { command, values, argument } as Reading;
}

function asks(given: readonly OptionToken[], name: string): boolean {
  return given.some((option) => option.name === name && parseFlag(option.value) === true);
}

function fits(argument: Argument | undefined, word: string | undefined): boolean {
  return word === undefined ? argument?.required !== true : argument?.choices.includes(word) === true;
}

function readValues(
  options: Command['options'],
  given: readonly OptionToken[],
): Record<string, Value> | undefined {
  const values = defaultValues(options);
  for (const { name, value } of given) {
    // Not options[name] alone: `--constructor` is none of ours.
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) return undefined;
    if (option.kind === 'flag') {
      const flag = parseFlag(value);
      if (flag === undefined) return undefined;
      values[name] = flag;
    } else if (value === undefined) {
      return undefined;
    } else if (option.kind === 'list') {
      values[name] = [...(values[name] as readonly string[]), value];
    } else {
      // An empty value is as good as none, as it was in the old helper: `--region "$UNSET"`.
      values[name] = value === '' && option.keepsEmpty !== true ? option.default : value;
    }
  }
  const isWrong = Object.entries(options).some(
    ([name, { required, conflicts }]) =>
      (required && values[name] === undefined) || (conflicts && values[name] && values[conflicts]),
  );
  return isWrong ? undefined : values;
}
