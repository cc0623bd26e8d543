import type { Reading } from '../fast-path.ts';
import { commandNames, commands, isCommandName } from '../options.ts';
import type { Command, CommandName } from '../options.ts';
import { print } from '../output.ts';

export async function run({ argument }: Reading<'help'>): Promise<void> {
  print(await helpText(argument !== undefined && isCommandName(argument) ? argument : undefined));
}

/** The explanation of one command, or the list of them all, 80 columns wide. */
export async function helpText(name?: CommandName): Promise<string> {
  const { default: yargs } = await import('yargs');
  const page = yargs().scriptName('rolesanywhere').wrap(80).help(false).version(false);
  if (name === undefined) {
    page.usage(
      'rolesanywhere COMMAND [OPTIONS]\n\nAWS credentials from a certificate, through IAM Roles Anywhere.',
    );
    for (const command of commandNames) page.command(command, commands[command].summary);
    page.epilogue('rolesanywhere COMMAND --help explains a command.');
  } else {
    const { purpose, options }: Command = commands[name];
    page.usage(`${synopsis(name)}\n\n${purpose}`);
    for (const [option, { value, group, description, later, required, default: standard }] of Object.entries(
      options,
    )) {
      if (later !== undefined) continue;
      // yargs only lays out text here, so that an option's key may carry its value: `certificate SOURCE`.
      page.option(value === undefined ? option : `${option} ${value}`, {
        group: `${group}:`,
        describe: description,
        demandOption: required ?? false,
        ...(standard !== undefined && { default: standard, defaultDescription: standard }),
      });
    }
    page.option('help', { group: 'General:', describe: 'explain this command (-h too)' });
  }
  return `${await page.getHelp()}\n${name === undefined ? '' : exampleText(commands[name])}`;
}

/** Laid out here: yargs would break the lines, which are to be copied. */
function exampleText({ examples }: Command): string {
  const texts = examples.map(([script, does]) => `  # ${does}\n  ${script.replaceAll('\n', '\n  ')}\n`);
  return `\nExamples:\n${texts.join('')}`;
}

function synopsis(name: CommandName): string {
  const { argument, options }: Command = commands[name];
  const word = argument?.name.toUpperCase();
  const words = ['rolesanywhere', name];
  if (word !== undefined) words.push(argument?.required ? word : `[${word}]`);
  if (Object.keys(options).length > 0) words.push('[OPTIONS]');
  return words.join(' ');
}
