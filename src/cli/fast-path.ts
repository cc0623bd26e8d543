import { commands, isCommandName, isGroupName } from './options.ts';
import type { Argument, Command, CommandName, Option, Topic, Values } from './options.ts';

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
    /** The words behind `--`, of a command that takes a command. */
    readonly rest: readonly string[];
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

/** A word behind `--` is a `rest`. */
export type Token = { readonly kind: 'word' | 'rest'; readonly text: string } | OptionToken;

/** The spellings of Go's strconv.ParseBool, which the old helper's flags take. */
const yes = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const no = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

export function parseFlag(value: string | undefined): boolean | undefined {
  if (value === undefined || yes.includes(value)) return true;
  return no.includes(value) ? false : undefined;
}

/**
 * To the old helper an empty text is as good as none (`--region "$UNSET"`), but no empty number. Options of our own take
 * neither: who writes `--container-token-file "$UNSET"` does not want to go without.
 */
export function refusesEmpty({ kind, isNew, refusesEmpty }: Option): boolean {
  return kind !== 'text' || isNew === true || refusesEmpty === true;
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
      tokens.push(...words.slice(i + 1).map((text) => ({ kind: 'rest', text }) as const));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      tokens.push({ kind: 'word', text: word });
      continue;
    }
    const equals = word.indexOf('=');
    const written = equals === -1 ? word : word.slice(0, equals);
    const name = written.slice(written.startsWith('--') ? 2 : 1);
    const value = equals !== -1 ? word.slice(equals + 1) : takesValue(name) ? words[++i] : undefined;
    tokens.push({ kind: 'option', name, value, written });
  }
  return tokens;
}

/** Asked of every command: one name has one kind, so that options may also stand before the command. */
function takesValue(name: string): boolean {
  for (const { options } of Object.values<Command>(commands)) {
    if (Object.hasOwn(options, name)) return options[name]?.kind !== 'flag';
  }
  return false;
}

/** A command line by its parts. */
interface Division {
  /** The command or group that it begins with, if it is one. */
  readonly topic: Topic | undefined;
  /** The words that are neither its name nor an option. */
  readonly others: readonly string[];
  readonly rest: readonly string[];
  /** The options. `--help=false` says nothing, and so is not there. */
  readonly given: readonly OptionToken[];
}

export function divide(words: readonly string[]): Division {
  const tokens = tokenize(words);
  const texts = (kind: 'word' | 'rest') =>
    tokens.flatMap((token) => (token.kind === kind ? [token.text] : []));
  const given = tokens.filter((token) => token.kind === 'option').filter((option) => !isNoHelp(option));
  const [before, behind] = [texts('word'), texts('rest')];
  const named = nameIn(before);
  const command: Command | undefined = isCommandName(named.topic ?? '')
    ? commands[named.topic as CommandName]
    : undefined;
  if (command?.rest !== undefined) return { ...named, rest: behind, given };
  // To every other command, words behind -- are words like any.
  return { ...nameIn([...before, ...behind]), rest: [], given };
}

function nameIn(texts: readonly string[]): Pick<Division, 'topic' | 'others'> {
  const [first = '', second = ''] = texts;
  const both = `${first} ${second}`;
  if (isCommandName(both)) return { topic: both, others: texts.slice(2) };
  const topic = isCommandName(first) || isGroupName(first) ? first : undefined;
  return { topic, others: topic === undefined ? texts : texts.slice(1) };
}

function isNoHelp({ name, value }: OptionToken): boolean {
  return (name === 'help' || name === 'h') && parseFlag(value) === false;
}

/**
 * Reads a command line that is in order. Anything else (nothing given, an unknown word, a missing option, a
 * contradiction) is undefined here and goes to careful-path.ts, which has the words for it.
 */
export function readFast(words: readonly string[]): Reading | undefined {
  const { topic, others, rest, given } = divide(words);
  if (asks(given, 'help') || asks(given, 'h')) {
    return topic !== undefined || others.length === 0 ? reading('help', {}, topic) : undefined;
  }
  if (topic === undefined) {
    const asksVersion = others.length === 0 && asks(given, 'version') && given.length === 1;
    return asksVersion ? reading('version', { verbose: true }, undefined) : undefined;
  }
  if (!isCommandName(topic)) return undefined;

  const command: Command = commands[topic];
  const values = readValues(command.options, given);
  const argument = others.length === 0 ? undefined : others.join(' ');
  const isWrong = !fits(command.argument, argument) || (command.rest?.required && rest.length === 0);
  return values === undefined || isWrong ? undefined : reading(topic, values, argument, rest);
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
  rest: readonly string[] = [],
): Reading {
  return { command, values, argument, rest } as Reading;
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
    } else if (value === undefined || (value === '' && refusesEmpty(option))) {
      return undefined;
    } else if (option.kind === 'list') {
      values[name] = [...(values[name] as readonly string[]), value];
    } else {
      values[name] = value || option.default;
    }
  }
  const isWrong = Object.entries(options).some(
    ([name, { required, conflicts }]) =>
      (required && values[name] === undefined) || (conflicts && values[name] && values[conflicts]),
  );
  return isWrong ? undefined : values;
}
