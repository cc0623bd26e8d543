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
  // It lays out text and reads nothing here, so that an option's key may carry its value: `certificate SOURCE`.
  const page = yargs().scriptName('rolesanywhere').wrap(80).help(false).version(false);
  if (name === undefined) {
    page.usage(
      'rolesanywhere COMMAND [OPTIONS]\n\nAWS credentials from a certificate, through IAM Roles Anywhere.',
    );
    for (const command of commandNames) page.command(command, commands[command].summary);
    page.epilogue('rolesanywhere COMMAND --help explains a command.');
  } else {
    const { purpose, options, argument, examples }: Command = commands[name];
    const word =
      argument && (argument.required ? argument.name.toUpperCase() : `[${argument.name.toUpperCase()}]`);
    page.usage(
      [
        `rolesanywhere ${name}${word === undefined ? '' : ` ${word}`}${Object.keys(options).length ? ' [OPTIONS]' : ''}`,
        '',
        purpose,
      ].join('\n'),
    );
    for (const [option, { value, description, group, ...more }] of Object.entries(options)) {
      if (more.later !== undefined) continue;
      page.option(value === undefined ? option : `${option} ${value}`, {
        describe: description,
        group: `${group}:`,
        ...(more.required && { demandOption: true }),
        ...(more.default !== undefined && { default: more.default, defaultDescription: more.default }),
      });
    }
    page.epilogue(
      ['Examples:', ...examples.flatMap(([line, does]) => [`  # ${does}`, `  ${line}`])].join('\n'),
    );
  }
  return `${await page.getHelp()}\n`;
}
