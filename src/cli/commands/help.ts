import type { Reading } from '../fast-path.ts';
import { choicesBehind, commands, groups, isCommandName, isGroupName } from '../options.ts';
import type { Command, CommandName, Topic } from '../options.ts';
import { print } from '../output.ts';

export async function run({ argument }: Reading<'help'>): Promise<void> {
  const isTopic = argument !== undefined && (isCommandName(argument) || isGroupName(argument));
  print(await helpText(isTopic ? argument : undefined));
}

/** The explanation of one command, or the list of a group's or of them all, 80 columns wide. */
export async function helpText(topic?: Topic): Promise<string> {
  const { default: yargs } = await import('yargs');
  const page = yargs().scriptName('rolesanywhere').wrap(80).help(false).version(false);
  if (topic === undefined || isGroupName(topic)) {
    const purpose =
      topic === undefined
        ? 'AWS credentials from a certificate, through IAM Roles Anywhere.'
        : sentence(groups[topic].summary);
    const written = topic === undefined ? '' : `${topic} `;
    page.usage(`rolesanywhere ${written}COMMAND [OPTIONS]\n\n${purpose}`);
    for (const choice of choicesBehind(topic)) page.command(choice.topic, choice.summary);
    page.epilogue(`rolesanywhere ${written}COMMAND --help explains a command.`);
    return `${await page.getHelp()}\n`;
  }
  const { purpose, options }: Command = commands[topic];
  page.usage(`${synopsis(topic)}\n\n${purpose}`);
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
  return `${await page.getHelp()}\n${exampleText(commands[topic])}`;
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}

/** Laid out here: yargs would break the lines, which are to be copied. */
function exampleText({ examples }: Command): string {
  const texts = examples.map(([script, does]) => `  # ${does}\n  ${script.replaceAll('\n', '\n  ')}\n`);
  return `\nExamples:\n${texts.join('')}`;
}

function synopsis(name: CommandName): string {
  const { argument, options, rest }: Command = commands[name];
  const word = argument?.name.toUpperCase();
  const words = ['rolesanywhere', name];
  if (word !== undefined) words.push(argument?.required ? word : `[${word}]`);
  if (Object.keys(options).length > 0) words.push('[OPTIONS]');
  if (rest !== undefined) words.push(rest.required ? `-- ${rest.name} …` : `[-- ${rest.name} …]`);
  return words.join(' ');
}
