// The manual page, rolesanywhere(1): commands and options from what the program itself declares, environment and exit
// codes from docs/command-line.md. Written in the macros of man(7).
import { readFile } from 'node:fs/promises';
import { commands } from './declarations.mjs';

/** As roff prints it: a hyphen that can be copied, no line that begins a request. */
const escape = (text) =>
  text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('…', '...').replace(/^[.']/gm, '\\&$&');

/** A cell of a table in Markdown: without links and footnote marks. */
const prose = (text) =>
  escape(text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('\\*', '')).replace(
    /`([^`]*)`/g,
    '\\fB$1\\fR',
  );

const entry = (term, meaning) => `.TP\n${term}\n${meaning}\n`;

const optionEntry = ([name, { value, description, required, default: standard }]) => {
  const note = required ? ' (required)' : standard === undefined ? '' : ` (default: ${standard})`;
  const term = `\\fB\\-\\-${escape(name)}\\fR${value === undefined ? '' : ` \\fI${escape(value)}\\fR`}`;
  return entry(term, escape(description + note));
};

/** The options that open a session are the same wherever they are taken, and told once. */
const session = Object.entries(commands['credential-process'].options).filter(([, { later }]) => !later);

function commandSection([name, { purpose, argument, rest, options, examples }]) {
  const takesSession = session.every(([option]) => option in options);
  const told = takesSession ? new Set(session.map(([, option]) => option)) : new Set();
  const own = Object.entries(options).filter(([, option]) => !option.later && !told.has(option));
  const words = [
    argument && (argument.required ? argument.name : `[${argument.name}]`).toUpperCase(),
    rest && (rest.required ? `-- ${rest.name} ...` : `[-- ${rest.name} ...]`),
  ];
  return [
    `.SS ${escape([name, ...words.filter(Boolean)].join(' '))}\n${escape(purpose)}\n`,
    ...own.map(optionEntry),
    takesSession ? `.P\nIt also takes all that opens a session, below.\n` : '',
    ...examples.map(([line, does]) => `.P\n${escape(does)}:\n.P\n.RS 4\n.nf\n${escape(line)}\n.fi\n.RE\n`),
  ].join('');
}

/** The rows of the first table of docs/command-line.md under a heading. */
function tableRows(page, heading) {
  const [, text] = page.split(new RegExp(`^#+ ${heading}$`, 'm'));
  const rows = /^\|.*\|\n(?:\|.*\|\n)+/m.exec(text)[0].trim().split('\n').slice(2);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, 3)
      .map((cell) => prose(cell.trim())),
  );
}

/** The source of the page, for a version. */
export async function manPage(version) {
  const page = await readFile(new URL('../docs/command-line.md', import.meta.url), 'utf8');
  const rows = (heading) => tableRows(page, heading).map(([term, meaning]) => entry(term, meaning));
  return [
    `.TH ROLESANYWHERE 1 "" "rolesanywhere ${version}" "User Commands"\n`,
    '.SH NAME\nrolesanywhere, aws_signing_helper \\- AWS credentials from a certificate, through IAM Roles Anywhere\n',
    '.SH SYNOPSIS\n.B rolesanywhere\n.I COMMAND\n.RI [ OPTIONS ]\n',
    '.SH DESCRIPTION\nGets temporary credentials for machines outside AWS with a private key and its certificate.\n',
    'Under either of its names it takes the command lines of AWS\\(aqs aws_signing_helper.\n',
    '.SH COMMANDS\n',
    ...Object.entries(commands).map(commandSection),
    '.SH OPTIONS THAT OPEN A SESSION\n',
    ...session.map(optionEntry),
    '.SH ENVIRONMENT\n',
    ...rows('Environment'),
    '.SH EXIT STATUS\n',
    ...rows('Exit codes'),
    '.SH SEE ALSO\n.BR aws (1)\n',
  ].join('');
}
