import { RolesAnywhereError } from '../errors.ts';
import { defaultValues, divide, parseFlag, reading, refusesEmpty } from './fast-path.ts';
import type { OptionToken, Reading, Value } from './fast-path.ts';
import { choicesBehind, commands, isCommandName, laterCommands } from './options.ts';
import type { Command, CommandName, GroupName, Option, Topic } from './options.ts';
import { nearest } from './suggest.ts';

/**
 * Reads a command line that the fast path did not understand, and has the words for what is wrong with it. For a
 * command line that is in order both readings are equal (a test holds them so).
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export async function readCarefully(words: readonly string[]): Promise<Reading> {
  const { topic, others, rest, given } = divide(words);
  if (topic === undefined || !isCommandName(topic)) throw unknownCommand(topic, others, given);

  const command: Command = commands[topic];
  const named = topic === 'help' ? helpTopic(others) : others;
  refuseUnknownWords(topic, command, given, named);
  refuseWrongValues(command, given);
  const reading = await parse(topic, command, given, named, rest);
  if (command.rest?.required && rest.length === 0) {
    throw mistake(`no ${command.rest.name} behind --`, seeHelp(topic));
  }
  return reading;
}

/** What `help` is asked for. In the old helper each shell is a command of its own: `help completion bash`. */
function helpTopic(words: readonly string[]): readonly string[] {
  const [first, second = ''] = words;
  if (first === undefined) return words;
  const { topic, others } = divide(['--', ...words]);
  if (topic === undefined) throw unknownCommand(undefined, words, []);
  const shells: readonly string[] = commands.completion.argument.choices;
  return [topic, ...(topic === 'completion' && shells.includes(second) ? others.slice(1) : others)];
}

function unknownCommand(
  group: GroupName | undefined,
  [name]: readonly string[],
  given: readonly OptionToken[],
): RolesAnywhereError {
  const [option] = given;
  const choices = choicesBehind(group).map(({ word }) => word);
  if (group !== undefined && name === undefined) {
    return mistake(`no command behind ${group}`, `write one of ${choices.join(', ')}`);
  }
  if (name === undefined && option !== undefined) {
    return mistake(`no command before ${shown(option.written)}`, seeHelp());
  }
  if (name === undefined) return mistake('no command given', seeHelp());
  if (laterCommands.includes(name)) {
    return mistake(`the command ${name} is not in this version yet`, seeHelp());
  }
  const suggestion = nearest(name, choices);
  const whole = (word: string): string => (group === undefined ? word : `${group} ${word}`);
  return mistake(
    `unknown command: ${whole(shown(name))}`,
    suggestion ? `did you mean ${whole(suggestion)}?` : seeHelp(group),
  );
}

function refuseUnknownWords(
  name: CommandName,
  command: Command,
  given: readonly OptionToken[],
  others: readonly string[],
): void {
  const offered = Object.keys(command.options).filter((name) => command.options[name]?.later === undefined);
  const option = given.find((token) => !Object.hasOwn(command.options, token.name));
  if (option?.name === 'help' || option?.name === 'h') throw neitherTrueNorFalse(option.name);
  if (option !== undefined) {
    const suggestion = nearest(option.name, offered);
    throw mistake(
      `unknown option: ${shown(option.written)}`,
      suggestion ? `did you mean --${suggestion}?` : (restHint(command) ?? seeHelp(name)),
    );
  }
  const stray = others[command.argument === undefined ? 0 : 1];
  if (stray !== undefined) {
    const isPassword = given.some((token) => command.options[token.name]?.value === 'PASSWORD');
    // Word processors make one long dash of two: `—certificate`.
    const bare = stray.replace(/^\p{Pd}+|=.*$/gu, '');
    throw mistake(
      `unknown word: ${isPassword ? 'not shown, it may belong to the password' : shown(stray)}`,
      offered.includes(bare) ? `did you mean --${bare}?` : (restHint(command) ?? seeHelp(name)),
    );
  }
}

function refuseWrongValues({ options }: Command, given: readonly OptionToken[]): void {
  for (const { name, value } of given) {
    const option = options[name];
    if (option?.kind === 'flag' && parseFlag(value) === undefined) throw neitherTrueNorFalse(name);
    if (option !== undefined && value === '' && refusesEmpty(option)) {
      throw mistake(
        `--${name} is empty`,
        'give it a value, or leave it out: a variable on the line may be unset',
      );
    }
  }
}

function restHint({ rest }: Command): string | undefined {
  return rest && `write -- before the ${rest.name}, which is to read its options itself`;
}

/** A word that lost its quotes may be part of a key: what is long or looks like PEM is not repeated whole. */
function shown(word: string): string {
  return word.length <= 60 && !/-----|\s/.test(word) ? word : `${word.slice(0, 10)}…`;
}

/**
 * yargs judges what is missing or contradicts. It divides words by rules other than ours, so that it is given one
 * `--name=value` an option, and the command's argument like an option.
 */
async function parse(
  name: CommandName,
  { options, argument }: Command,
  given: readonly OptionToken[],
  [word]: readonly string[],
  rest: readonly string[],
): Promise<Reading> {
  const { default: yargs } = await import('yargs');
  const parser = yargs()
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
    })
    .updateStrings(messages)
    .exitProcess(false)
    .help(false)
    .version(false)
    .fail((message: string) => {
      throw mistake(withDashes(message, options), seeHelp(name));
    });
  for (const [option, { kind, required, conflicts }] of Object.entries(options)) {
    parser.option(option, {
      requiresArg: kind !== 'flag',
      demandOption: required ?? false,
      coerce: (value: unknown) => readValue(kind, value),
      ...(conflicts && { conflicts }),
    });
  }
  if (argument !== undefined) {
    parser.option(argument.name, {
      demandOption: argument.required ?? false,
      choices: argument.choices,
    });
  }
  const argv = await parser.parseAsync([
    ...given.map((token) => `--${token.name}${token.value === undefined ? '' : `=${token.value}`}`),
    ...(argument === undefined || word === undefined ? [] : [`--${argument.name}=${word}`]),
  ]);
  const values = defaultValues(options);
  for (const option of Object.keys(values)) values[option] = (argv[option] as Value) ?? values[option];
  return reading(name, values, argument && (argv[argument.name] as string | undefined), rest);
}

/** yargs collects what is repeated; `true` stands for an option without a value. */
function readValue(kind: Option['kind'], collected: unknown): Value {
  const values = [collected].flat() as readonly (string | true)[];
  if (kind === 'list') return values.map(String);
  if (kind !== 'flag') return values.at(-1) || undefined;
  // Off is as good as absent, also where another option contradicts this one.
  return values.map((value) => parseFlag(value === true ? undefined : value)).at(-1) || undefined;
}

function neitherTrueNorFalse(name: string): RolesAnywhereError {
  return mistake(`--${name} is either true or false`, `write --${name} or --${name}=false`);
}

/** yargs's messages in this program's style. */
const messages = {
  'Missing required argument: %s': { one: 'missing %s', other: 'missing %s' },
  'Not enough arguments following: %s': 'no value after %s',
  'Arguments %s and %s are mutually exclusive': '%s contradicts %s',
  'Invalid values:': 'wrong value:',
  'Argument: %s, Given: %s, Choices: %s': 'the %s is %s, not one of %s',
} as unknown as Readonly<Record<string, string>>;

function withDashes(message: string, options: Command['options']): string {
  return message
    .replace(/[a-z0-9-]+/g, (word) => (Object.hasOwn(options, word) ? `--${word}` : word))
    .replace(/\s+/g, ' ');
}

function mistake(message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', message, { hint });
}

function seeHelp(name?: Topic): string {
  return `see rolesanywhere ${name === undefined ? '' : `${name} `}--help`;
}
