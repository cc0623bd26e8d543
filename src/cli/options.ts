/**
 * The one declaration of the command line. The reader (fast-path.ts), yargs (careful-path.ts), help, completion and
 * the tables in docs/command-line.md are all made from it.
 */
import { daemonCommands } from './table/daemons.ts';
import type { Command, Option } from './table/kinds.ts';
import { redshiftCommands } from './table/redshift.ts';
import { general, keyOptions, sessionOptions } from './table/session.ts';

export type { Argument, Command, Option } from './table/kinds.ts';

const shells = ['bash', 'zsh', 'fish', 'powershell'] as const;

export const commands = {
  'credential-process': {
    summary: 'print AWS credentials as credential_process JSON',
    purpose:
      'Opens a session with IAM Roles Anywhere and prints its credentials in the form that the AWS CLI and every ' +
      'SDK read from a credential_process line in ~/.aws/config.',
    options: sessionOptions,
    examples: [
      [
        'rolesanywhere credential-process \\\n' +
          '  --certificate leaf.pem --private-key leaf.key \\\n' +
          '  --trust-anchor-arn "$ANCHOR" --profile-arn "$PROFILE" --role-arn "$ROLE"',
        'a certificate and its key in two files',
      ],
      [
        'rolesanywhere credential-process \\\n' +
          '  --certificate both.pem --session-duration 900 \\\n' +
          '  --trust-anchor-arn "$ANCHOR" --profile-arn "$PROFILE" --role-arn "$ROLE"',
        'both in one file, for a quarter of an hour',
      ],
    ],
  },
  'read-certificate-data': {
    summary: 'print what a certificate file, PKCS#12 file or token holds',
    purpose:
      'Prints key type, DER (base64), serial number and supported algorithms as JSON; of several certificates, each on ' +
      'a line of its own.',
    options: {
      certificate: keyOptions.certificate,
      'key-password-from': keyOptions['key-password-from'],
      'pkcs8-password': keyOptions['pkcs8-password'],
      'cert-selector': keyOptions['cert-selector'],
      'system-store-name': keyOptions['system-store-name'],
      'pkcs11-lib': keyOptions['pkcs11-lib'],
      ...general,
    },
    examples: [
      ['rolesanywhere read-certificate-data --certificate leaf.pem', 'one object for one certificate'],
      [
        'rolesanywhere read-certificate-data --certificate bundle.pem \\\n' +
          '  --cert-selector Key=x509Serial,Value=01:AB',
        'those of a bundle that match',
      ],
    ],
  },
  'sign-string': {
    summary: 'sign a fixed test string with the key',
    purpose:
      'Signs a string that shows what it is for ("AWS Roles Anywhere Credential Helper Signing Test", 1, and a hash ' +
      'of the public key), to try a key without the service. Prints the signature without a line end.',
    options: {
      ...keyOptions,
      digest: {
        kind: 'text',
        value: 'DIGEST',
        group: 'Signature',
        default: 'SHA256',
        description: 'SHA256, SHA384 or SHA512; ML-DSA signs the string itself',
      },
      format: {
        kind: 'text',
        value: 'FORMAT',
        group: 'Signature',
        default: 'json',
        description: 'json (hexadecimal in quotes), text (hexadecimal) or bin (the bytes)',
      },
      ...general,
    },
    examples: [
      ['rolesanywhere sign-string --private-key leaf.key --format text', 'the signature in hexadecimal'],
      [
        'rolesanywhere sign-string --certificate leaf.p12 \\\n' +
          '  --key-password-from prompt --digest SHA512',
        'with a password, asked for on the terminal',
      ],
    ],
  },
  ...daemonCommands,
  ...redshiftCommands,
  completion: {
    summary: 'print a completion script for a shell',
    purpose:
      'Prints a script that completes commands, options and file names, for the shell to read; without a shell, this ' +
      'explanation.',
    argument: { name: 'shell', choices: shells, description: 'the shell to complete in' },
    options: {
      'no-descriptions': { kind: 'flag', group: 'General', description: 'offer the names alone' },
    },
    examples: [
      ['source <(rolesanywhere completion bash)', 'for this bash'],
      ['rolesanywhere completion fish > ~/.config/fish/completions/rolesanywhere.fish', 'for every fish'],
    ],
  },
  version: {
    summary: 'print the version number',
    purpose: 'Prints the version number and nothing else.',
    options: {
      verbose: {
        kind: 'flag',
        group: 'General',
        isNew: true,
        description: 'say behind it what it was built for and what it runs on',
      },
    },
    examples: [
      ['rolesanywhere version', 'the version number'],
      ['rolesanywhere --version', 'the same as version --verbose'],
    ],
  },
  help: {
    summary: 'explain a command',
    purpose: 'Explains one command, or lists them all.',
    argument: {
      name: 'command',
      get choices(): readonly string[] {
        return topics();
      },
      description: 'the command to explain',
    },
    options: {},
    examples: [
      ['rolesanywhere help credential-process', 'its purpose, options and examples'],
      ['rolesanywhere credential-process --help', 'the same'],
    ],
  },
} as const satisfies Record<string, Command>;

/** Commands of two words, by the first one. */
export const groups = {
  redshift: { summary: 'log in to Amazon Redshift with temporary credentials' },
} as const;

export type CommandName = keyof typeof commands;
export type GroupName = keyof typeof groups;
export type Shell = (typeof shells)[number];

/** Commands of the old helper, and of ours, that later versions bring. */
export const laterCommands: readonly string[] = ['exec', 'configure', 'doctor'];

export const commandNames = Object.keys(commands) as CommandName[];

export function isCommandName(word: string): word is CommandName {
  return Object.hasOwn(commands, word);
}

export function isGroupName(word: string): word is GroupName {
  return Object.hasOwn(groups, word);
}

/** What help explains: each command, and each group ahead of its commands. */
export type Topic = CommandName | GroupName;

/** What may stand at the beginning of a line, or as the second word behind a group's name. */
export function choicesBehind(group: GroupName | undefined): readonly {
  readonly word: string;
  readonly topic: Topic;
  readonly summary: string;
}[] {
  const all = commandNames.map((name) => {
    const [first = '', second] = name.split(' ');
    if (group !== undefined) return { first, word: second ?? '', topic: name, ...commands[name] };
    return isGroupName(first)
      ? { first: undefined, word: first, topic: first, ...groups[first] }
      : { first: undefined, word: first, topic: name, ...commands[name] };
  });
  return all
    .filter(({ first, word }, i) => first === group && all.findIndex((other) => other.word === word) === i)
    .map(({ word, topic, summary }) => ({ word, topic, summary }));
}

function topics(): readonly Topic[] {
  return choicesBehind(undefined).flatMap(({ topic }) =>
    isGroupName(topic) ? [topic, ...choicesBehind(topic).map((choice) => choice.topic)] : [topic],
  );
}

type ValueOf<O extends Option> = O['kind'] extends 'flag'
  ? boolean
  : O['kind'] extends 'list'
    ? readonly string[]
    : O extends { required: true } | { default: string }
      ? string
      : string | undefined;

/** The options of one command as a reader gives them: typed after the table. */
export type Values<N extends CommandName> = {
  readonly [K in keyof (typeof commands)[N]['options']]: (typeof commands)[N]['options'][K] extends Option
    ? ValueOf<(typeof commands)[N]['options'][K]>
    : never;
};
