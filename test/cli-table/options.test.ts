import { describe, expect, it } from 'vitest';
import { divide, tokenize } from '../../src/cli/fast-path.ts';
import {
  choicesBehind,
  commandNames,
  commands,
  groups,
  isCommandName,
  isGroupName,
  laterCommands,
} from '../../src/cli/options.ts';
import type { Command, Option } from '../../src/cli/options.ts';

const every = commandNames.map((name): [string, Command] => [name, commands[name]]);
const options = every.flatMap(([command, { options }]) =>
  Object.entries(options).map(([name, option]): [string, string, Option] => [command, name, option]),
);

describe('the table of commands and options', () => {
  it.each(every)('%s is explained, with two examples', (name, { summary, purpose, examples }) => {
    expect(summary).toMatch(/^[a-z].{10,60}[^.]$/);
    expect(purpose).toMatch(/^[A-Z][^]+\.$/);
    expect(examples).toHaveLength(2);
    for (const [line] of examples) expect(line).toMatch(`rolesanywhere`);
    expect(examples.some(([line]) => line.includes(name) || line.includes(`--${name}`))).toBe(true);
  });

  it.each(options)('%s --%s is whole', (_, name, option) => {
    expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
    expect(option.description).toMatch(/^\S.*[^.\s]$/);
    expect(option.group).not.toBe('');
    expect(option.value === undefined).toBe(option.kind === 'flag');
    if (option.kind === 'flag' || option.kind === 'list') {
      expect(option).not.toHaveProperty('default');
      expect(option).not.toHaveProperty('required');
    }
    if (option.required) expect(option).not.toHaveProperty('default');
  });

  it('gives an option one kind in all commands, so that it can be read before its command is known', () => {
    for (const [, name, { kind }] of options) {
      const others = options.filter(([, other]) => other === name).map(([, , option]) => option.kind);
      expect(new Set(others)).toEqual(new Set([kind]));
    }
  });

  it('names only options that exist as contradicting', () => {
    for (const [command, , { conflicts }] of options) {
      if (conflicts === undefined) continue;
      expect(options.some(([where, name]) => where === command && name === conflicts)).toBe(true);
    }
  });

  it('keeps an argument, a help word and a later command apart from what exists', () => {
    for (const [, { argument, options }] of every) {
      expect(Object.keys(options)).not.toContain(argument?.name);
      for (const word of ['help', 'h', 'version']) expect(Object.keys(options)).not.toContain(word);
    }
    for (const later of laterCommands) expect(commandNames).not.toContain(later);
    expect(commands.help.argument.choices.filter(isCommandName)).toEqual(commandNames);
    expect(commands.help.argument.choices.filter(isGroupName)).toEqual(Object.keys(groups));
  });

  it('holds every option of the old helper, of the same kind', () => {
    // From its `credential-process --help`, version 1.8.0.
    const flags = ['debug', 'no-tpm-key-password', 'no-verify-ssl', 'reuse-pin', 'with-proxy'];
    flags.push('use-latest-expiring-certificate');
    const texts = [
      'cert-selector',
      'certificate',
      'endpoint',
      'intermediates',
      'pkcs11-lib',
      'pkcs8-password',
    ];
    texts.push('private-key', 'profile-arn', 'region', 'role-arn', 'role-session-name', 'session-duration');
    texts.push('system-store-name', 'tpm-key-password', 'trust-anchor-arn');
    const table: Command['options'] = commands['credential-process'].options;
    const old = Object.entries(table).filter(([, { isNew }]) => isNew === undefined);
    expect(old.map(([name]) => name).sort()).toEqual([...flags, ...texts].sort());
    for (const [name, { kind }] of old) expect(kind === 'flag').toBe(flags.includes(name));
  });

  it('lists a group once, and its commands behind it', () => {
    const first = choicesBehind(undefined).map(({ word }) => word);
    expect(new Set(first).size).toBe(first.length);
    for (const group of Object.keys(groups).filter(isGroupName)) {
      expect(first).toContain(group);
      const names = commandNames.filter((name) => name.startsWith(`${group} `));
      expect(choicesBehind(group).map(({ topic }) => topic)).toEqual(names);
      expect(isCommandName(group)).toBe(false);
    }
    for (const name of commandNames) expect(name.split(' ').length).toBeLessThan(3);
  });

  it('finds the options of every example in its table', () => {
    for (const [, { examples }] of every) {
      for (const [line] of examples) {
        const [words = ''] = /rolesanywhere [^>|)]+/.exec(line) ?? [];
        const [, ...rest] = words.split(/[\s\\]+/).filter((word) => word !== '');
        const { topic = 'version' } = divide(rest);
        const options = isCommandName(topic) ? commands[topic].options : {};
        for (const token of tokenize(rest)) {
          if (token.kind !== 'option' || ['help', 'version'].includes(token.name)) continue;
          expect(Object.keys(options)).toContain(token.name);
        }
      }
    }
  });
});
