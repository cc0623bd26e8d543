// Writes the tables of docs/command-line.md from what the program itself declares; with --check only says whether
// they are fresh. The text around the tables is written by hand.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { commands, exitCodes, groups } from './declarations.mjs';

const page = new URL('../docs/command-line.md', import.meta.url);

const escape = (text) => text.replaceAll('|', '\\|').replaceAll('<', '\\<');
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function optionTables(options) {
  const groups = new Map();
  for (const [name, option] of Object.entries(options)) {
    groups.set(option.group, [...(groups.get(option.group) ?? []), optionRow(name, option)]);
  }
  return [...groups].map(([group, rows]) => table([group, 'Default', 'Meaning'], rows)).join('\n\n');
}

function optionRow(name, option) {
  const written = `\`--${name}${option.value === undefined ? '' : ` ${option.value}`}\`${option.isNew ? ' \\*' : ''}`;
  const standard = option.required ? 'required' : option.default === undefined ? '' : `\`${option.default}\``;
  return [
    written,
    standard,
    escape(option.description) + (option.later ? ' (not in this version yet: refused)' : ''),
  ];
}

const bracketed = (word, { required }) => (required ? word : `[${word}]`);

const groupOf = (name) => Object.keys(groups).find((group) => name.startsWith(`${group} `));

/** What every command of a group takes, and takes alike. */
function commonOptions(group) {
  const [first, ...others] = Object.entries(commands)
    .filter(([name]) => group !== undefined && groupOf(name) === group)
    .map(([, { options }]) => options);
  const isCommon = ([name, option]) => others.every((options) => options[name] === option);
  return Object.fromEntries(Object.entries(first ?? {}).filter(isCommon));
}

const without = (options, others) =>
  Object.fromEntries(Object.entries(options).filter(([name, option]) => others[name] !== option));

const tables = new Map([
  [
    'commands',
    table(
      ['Command', 'What it does'],
      Object.entries(commands).map(([name, { argument, rest, summary }]) => {
        const words = [
          name,
          ...(argument === undefined ? [] : [bracketed(argument.name.toUpperCase(), argument)]),
          ...(rest === undefined ? [] : [bracketed(`-- ${rest.name} …`, rest)]),
        ];
        return [`\`${words.join(' ')}\``, escape(summary)];
      }),
    ),
  ],
  ...Object.entries(commands).map(([name, { options }]) => [
    `options ${name}`,
    optionTables(without(options, commonOptions(groupOf(name)))),
  ]),
  // What is as in credential-process is not said again.
  ...Object.keys(groups).map((group) => [
    `options ${group}`,
    optionTables(without(commonOptions(group), commands['credential-process'].options)),
  ]),
  [
    'error codes',
    table(
      ['Exit code', "Error codes of the library's `RolesAnywhereError`"],
      [...new Set(Object.values(exitCodes))].map((exitCode) => [
        String(exitCode),
        Object.keys(exitCodes)
          .filter((code) => exitCodes[code] === exitCode)
          .map((code) => `\`${code}\``)
          .join(', '),
      ]),
    ),
  ],
]);

const before = await readFile(page, 'utf8');
const used = new Set();
const replaced = before.replace(
  /(<!-- table: (.*?) -->\n)[^]*?(<!-- end of table -->)/g,
  (_, start, name, end) => {
    const text = tables.get(name);
    if (text === undefined) throw new Error(`docs/command-line.md asks for an unknown table: ${name}`);
    used.add(name);
    return `${start}\n${text}\n\n${end}`;
  },
);
for (const [name, text] of tables) {
  if (text !== '' && !used.has(name))
    throw new Error(`docs/command-line.md has no place for the table: ${name}`);
}
const after = await format(replaced, { ...(await resolveConfig(fileURLToPath(page))), parser: 'markdown' });

if (!process.argv.includes('--check')) {
  await writeFile(page, after);
} else if (after !== before) {
  console.error('docs/command-line.md is stale: run npm run docs');
  process.exitCode = 1;
}
