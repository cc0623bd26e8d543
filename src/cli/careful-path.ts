import { RolesAnywhereError } from '../errors.ts';
import { defaultValues, parseFlag, reading, tokenize } from './fast-path.ts';
import type { OptionToken, Reading, Value } from './fast-path.ts';
import { commandNames, commands, isCommandName, laterCommands } from './options.ts';
import type { Command, CommandName, Option } from './options.ts';
import { nearest } from './suggest.ts';

/**
 * Reads a command line that the fast path did not understand, and has the words for what is wrong with it. For a
 * command line that is in order both readings are equal (a test holds them so).
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export async function readCarefully(words: readonly string[]): Promise<Reading> {
  const tokens = tokenize(words);
  const [name, ...others] = tokens.flatMap((token) => (token.kind === 'word' ? [token.text] : []));
  const given = tokens.filter((token) => token.kind === 'option');
  if (name === undefined || !isCommandName(name)) throw unknownCommand(name, given);

  const command: Command = commands[name];
  refuseUnknownWords(name, command, given, others);
  return parse(name, command, given, others);
}

function unknownCommand(name: string | undefined, given: readonly OptionToken[]): RolesAnywhereError {
  const [option] = given;
  if (name === undefined && option !== undefined) {
    return mistake(`no command before ${option.written}`, seeHelp());
  }
  if (name === undefined) return mistake('no command given', seeHelp());
  if (laterCommands.includes(name)) {
    return mistake(`the command ${name} is not in this version yet`, seeHelp());
  }
  const suggestion = nearest(name, commandNames);
  return mistake(`unknown command: ${name}`, suggestion ? `did you mean ${suggestion}?` : seeHelp());
}

function refuseUnknownWords(
  name: CommandName,
  command: Command,
  given: readonly OptionToken[],
  others: readonly string[],
): void {
  const option = given.find((token) => !Object.hasOwn(command.options, token.name));
  if (option !== undefined) {
    const suggestion = nearest(option.name, Object.keys(command.options));
    throw mistake(
      `unknown option: ${option.written}`,
      suggestion ? `did you mean --${suggestion}?` : seeHelp(name),
    );
  }
  const stray = others[command.argument === undefined ? 0 : 1];
  if (stray !== undefined) {
    const suggestion = nearest(stray, Object.keys(command.options));
    throw mistake(
      `unknown word: ${stray}`,
      suggestion === stray ? `did you mean --${suggestion}?` : seeHelp(name),
    );
  }
}

/** yargs judges the values; it is given one `--name=value` an option, since it divides words by other rules. */
async function parse(
  name: CommandName,
  command: Command,
  given: readonly OptionToken[],
  others: readonly string[],
): Promise<Reading> {
  const { default: yargs } = await import('yargs');
  const parser = yargs()
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .updateStrings(messages)
    .exitProcess(false)
    .help(false)
    .version(false)
    .fail((message: string) => {
      throw mistake(withDashes(message, command), seeHelp(name));
    });
  for (const [option, { kind, required, conflicts }] of Object.entries(command.options)) {
    parser.option(option, {
      requiresArg: kind !== 'flag',
      demandOption: required ?? false,
      coerce: (value: unknown) => coerce(option, kind, value),
      ...(conflicts && { conflicts }),
    });
  }
  const argument = command.argument;
  if (argument !== undefined) {
    parser.command(`$0 [${argument.name}]`, false, (y) =>
      y.positional(argument.name, { choices: argument.choices, demandOption: argument.required ?? false }),
    );
  }
  const argv = await parser.parseAsync([
    ...given.map(({ name, value }) => (value === undefined ? `--${name}` : `--${name}=${value}`)),
    '--',
    ...others,
  ]);
  const values = defaultValues(command.options);
  for (const option of Object.keys(values)) values[option] = (argv[option] as Value) ?? values[option];
  return reading(name, values, argument && (argv[argument.name] as string | undefined));
}

function coerce(name: string, kind: Option['kind'], value: unknown): Value {
  const texts = [value].flat() as readonly (string | true)[];
  if (kind === 'list') return texts as readonly string[];
  const last = texts.at(-1);
  if (kind !== 'flag') return last === '' ? undefined : (last as string | undefined);
  // Off is as good as absent, also where another option contradicts this one.
  return parseFlag(last === true ? undefined : last) || undefined;
}

const messages = {};
function withDashes(message: string, _c: Command) {
  return message;
}

function mistake(message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', message, { hint });
}

function seeHelp(name?: CommandName): string {
  return `see rolesanywhere ${name === undefined ? '' : `${name} `}--help`;
}

export async function helpText(name: CommandName | undefined): Promise<string> {
  return `${name}\n`;
}
