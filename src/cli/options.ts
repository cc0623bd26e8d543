/**
 * The one declaration of the command line. The reader (fast-path.ts), yargs (careful-path.ts), help, completion and
 * the tables in docs/command-line.md are all made from it.
 */

/** `text` and `number` take a value (a number stays text until it is validated), a `list` takes one each time. */
type OptionKind = 'text' | 'number' | 'flag' | 'list';

export interface Option {
  readonly kind: OptionKind;
  /** What help calls the value; FILE and DIRECTORY also make shells complete file names. */
  readonly value?: string;
  readonly group: string;
  readonly description: string;
  readonly required?: true;
  readonly default?: string;
  /** Another option that contradicts this one. */
  readonly conflicts?: string;
  /** An option that the old helper lacks. */
  readonly isNew?: true;
  /** An empty value is no absent one: without it, the command would quietly do something else. */
  readonly keepsEmpty?: true;
  /** Its feature is not built yet. The option is read, so that a command line keeps its meaning, and refused. */
  readonly later?: true;
}

export interface Argument {
  readonly name: string;
  readonly description: string;
  readonly required?: true;
  readonly choices: readonly string[];
}

export interface Command {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What it does and what it prints. */
  readonly purpose: string;
  readonly argument?: Argument;
  readonly options: Readonly<Record<string, Option>>;
  /** Commands that work as they stand in a POSIX shell, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
}

const general = {
  debug: { kind: 'flag', group: 'General', description: 'say each step on stderr, never a secret' },
} as const satisfies Record<string, Option>;

/** What says where the key and its certificate are. */
const keyOptions = {
  certificate: {
    kind: 'text',
    value: 'SOURCE',
    group: 'Certificate and key',
    description:
      'PEM, DER or PKCS#12 file, in a bundle the one that the key belongs to; pkcs11: URI; -, env:NAME or fd:N for PEM text',
  },
  'private-key': {
    kind: 'text',
    value: 'SOURCE',
    group: 'Certificate and key',
    description:
      'PEM, DER, PKCS#12 or TSS2 (TPM) file; pkcs11: URI; handle:0x81… in a TPM; -, env:NAME or fd:N; not needed ' +
      "when the certificate's source holds the key",
  },
  'key-password-from': {
    kind: 'text',
    value: 'SOURCE',
    group: 'Certificate and key',
    isNew: true,
    description: 'password of the key, or PIN of the token: file:PATH, env:NAME, fd:N, stdin or prompt',
  },
  'pkcs8-password': {
    kind: 'text',
    value: 'PASSWORD',
    group: 'Certificate and key',
    conflicts: 'key-password-from',
    description: 'password of the key; others can see it in the process list',
  },
  'cert-selector': {
    kind: 'text',
    value: 'SELECTOR',
    group: 'Certificate and key',
    keepsEmpty: true,
    description:
      'which certificate of several: Key=x509Subject,Value=… (x509Issuer, x509Serial, x509Thumbprint), JSON, or file://PATH',
  },
  'use-latest-expiring-certificate': {
    kind: 'flag',
    group: 'Certificate and key',
    description: 'of several matching certificates, use the one that expires last',
  },
  'system-store-name': {
    kind: 'text',
    value: 'NAME',
    group: 'Certificate and key',
    later: true,
    description: "Windows certificate store (the old helper's default is MY)",
  },
  'pkcs11-lib': {
    kind: 'text',
    value: 'FILE',
    group: 'Tokens and TPM',
    description: "PKCS#11 module; p11-kit's proxy unless given",
  },
  'reuse-pin': {
    kind: 'flag',
    group: 'Tokens and TPM',
    description: 'give the PIN again for keys that ask at every signature',
  },
  'tpm-key-password': {
    kind: 'text',
    value: 'PASSWORD',
    group: 'Tokens and TPM',
    conflicts: 'pkcs8-password',
    description: 'password of the TPM key; others can see it in the process list',
  },
  'no-tpm-key-password': {
    kind: 'flag',
    group: 'Tokens and TPM',
    conflicts: 'tpm-key-password',
    description: 'the TPM key has no password',
  },
  'tpm-parent-password-from': {
    kind: 'text',
    value: 'SOURCE',
    group: 'Tokens and TPM',
    isNew: true,
    description: "authorisation of the TPM key's parent: file:PATH, env:NAME, fd:N, stdin or prompt",
  },
} as const satisfies Record<string, Option>;

const sessionOptions = {
  'trust-anchor-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    required: true,
    description: 'trust anchor that the certificate chains to',
  },
  'profile-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    required: true,
    description: 'Roles Anywhere profile that lists the role',
  },
  'role-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    required: true,
    description: 'IAM role to assume',
  },
  'session-duration': {
    kind: 'number',
    value: 'SECONDS',
    group: 'Session',
    default: '3600',
    description: 'how long the session lasts, 900 to 43200; the profile may cap it',
  },
  'role-session-name': {
    kind: 'text',
    value: 'NAME',
    group: 'Session',
    description: "name of the session, when the profile accepts one; else the certificate's serial number",
  },
  'instance-property': {
    kind: 'list',
    value: 'NAME=VALUE',
    group: 'Session',
    isNew: true,
    description: 'property of this machine, recorded with the session; may be repeated',
  },
  ...keyOptions,
  intermediates: {
    kind: 'text',
    value: 'SOURCE',
    group: 'Certificate and key',
    description: 'PEM or DER bundle of the issuers to send along, in any order',
  },
  region: {
    kind: 'text',
    value: 'REGION',
    group: 'Service and network',
    description: "region to sign for; the trust anchor's unless given",
  },
  endpoint: {
    kind: 'text',
    value: 'URL',
    group: 'Service and network',
    description: 'address of the service, a path before /sessions included',
  },
  'with-proxy': {
    kind: 'flag',
    group: 'Service and network',
    conflicts: 'no-proxy',
    description: 'insist on the proxy of the environment (it is used anyway when set)',
  },
  'no-proxy': {
    kind: 'flag',
    group: 'Service and network',
    isNew: true,
    description: 'connect directly whatever HTTPS_PROXY says',
  },
  'ca-bundle': {
    kind: 'text',
    value: 'FILE',
    group: 'Service and network',
    isNew: true,
    description: "PEM authorities to trust instead of Node's and the system's, like AWS_CA_BUNDLE",
  },
  'no-verify-ssl': {
    kind: 'flag',
    group: 'Service and network',
    description: "do not check the service's certificate: for tests only",
  },
  timeout: {
    kind: 'number',
    value: 'SECONDS',
    group: 'Service and network',
    isNew: true,
    default: '60',
    description: 'longest time that opening a session may take, retries included',
  },
  cache: {
    kind: 'flag',
    group: 'Service and network',
    isNew: true,
    conflicts: 'no-cache',
    description: 'share the session with other processes of this user, as ROLESANYWHERE_CACHE=1 does',
  },
  'no-cache': {
    kind: 'flag',
    group: 'Service and network',
    isNew: true,
    description: 'open a session of its own whatever ROLESANYWHERE_CACHE says',
  },
  ...general,
} as const satisfies Record<string, Option>;

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
  serve: {
    summary: 'hand out credentials on this machine, as EC2 and ECS do',
    purpose:
      'Keeps a session fresh and answers for it as the instance metadata service (IMDSv2) and, with a token file, as a ' +
      'container credentials endpoint. Prints, once it holds credentials, the lines that a shell can eval for the AWS ' +
      'CLI and the SDKs to find it. Also /healthz and /metrics.',
    options: {
      port: {
        kind: 'number',
        value: 'PORT',
        group: 'Address',
        default: '9911',
        description: 'port to listen on; 0 takes a free one',
      },
      bind: {
        kind: 'text',
        value: 'ADDRESS',
        group: 'Address',
        default: '127.0.0.1',
        isNew: true,
        description: 'address to listen on, IPv4 or IPv6, or unix:PATH for a socket of this user',
      },
      'hop-limit': {
        kind: 'number',
        value: 'NUMBER',
        group: 'Address',
        default: '64',
        description: 'how many routers an answer may cross, 1 to 255',
      },
      'container-token-file': {
        kind: 'text',
        value: 'FILE',
        group: 'Address',
        isNew: true,
        description: 'also answer GET /credentials, for whoever sends this token; made when missing',
      },
      'log-format': {
        kind: 'text',
        value: 'FORMAT',
        group: 'General',
        default: 'text',
        isNew: true,
        description: 'text, or json: an object a line',
      },
      ...sessionOptions,
    },
    examples: [
      [
        'rolesanywhere serve \\\n' +
          '  --certificate leaf.pem --private-key leaf.key \\\n' +
          '  --trust-anchor-arn "$ANCHOR" --profile-arn "$PROFILE" --role-arn "$ROLE"',
        'at http://127.0.0.1:9911/, for AWS_EC2_METADATA_SERVICE_ENDPOINT',
      ],
      [
        'rolesanywhere serve --port 0 --container-token-file token --log-format json \\\n' +
          '  --certificate leaf.pem --private-key leaf.key \\\n' +
          '  --trust-anchor-arn "$ANCHOR" --profile-arn "$PROFILE" --role-arn "$ROLE"',
        'for containers, for those who can read the token',
      ],
    ],
  },
  update: {
    summary: 'keep one profile of the shared credentials file fresh',
    purpose:
      'Opens a session and writes its credentials into one profile of the shared credentials file ' +
      '(AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials), and does so again ahead of the end of each, until it is ' +
      'interrupted. All else in the file stays as it is.',
    options: {
      profile: {
        kind: 'text',
        value: 'NAME',
        group: 'File',
        default: 'default',
        description: 'profile to write; added when it is not there',
      },
      once: { kind: 'flag', group: 'File', description: 'write it once, and end' },
      ...sessionOptions,
    },
    examples: [
      [
        'rolesanywhere update --once --profile backup \\\n' +
          '  --certificate leaf.pem --private-key leaf.key \\\n' +
          '  --trust-anchor-arn "$ANCHOR" --profile-arn "$PROFILE" --role-arn "$ROLE"',
        'the profile backup, now',
      ],
      [
        'AWS_SHARED_CREDENTIALS_FILE=./credentials rolesanywhere update --once \\\n' +
          '  --certificate leaf.pem --private-key leaf.key \\\n' +
          '  --trust-anchor-arn "$ANCHOR" --profile-arn "$PROFILE" --role-arn "$ROLE"',
        'the profile default of another file',
      ],
    ],
  },
  emulator: {
    summary: 'run a local Roles Anywhere that verifies every request',
    purpose:
      'Answers CreateSession, STS GetCallerIdentity and the credential APIs of Redshift as AWS would, after checking ' +
      'signatures and certificates from the specification. Prints one JSON line when ready ({"endpoint","trustAnchorArn","profileArn",' +
      '"roleArn"}), then one JSON line a request on stderr.',
    options: {
      port: {
        kind: 'number',
        value: 'PORT',
        group: 'Address',
        default: '0',
        isNew: true,
        description: 'port to listen on; 0 takes a free one',
      },
      bind: {
        kind: 'text',
        value: 'ADDRESS',
        group: 'Address',
        default: '127.0.0.1',
        isNew: true,
        description: 'address to listen on',
      },
      'tls-certificate': {
        kind: 'text',
        value: 'FILE',
        group: 'Address',
        isNew: true,
        description: 'serve HTTPS with this PEM certificate',
      },
      'tls-key': {
        kind: 'text',
        value: 'FILE',
        group: 'Address',
        isNew: true,
        description: 'PEM key of that certificate',
      },
      'trust-anchor': {
        kind: 'list',
        value: 'FILE',
        group: 'Service',
        isNew: true,
        description: 'PEM authority to trust; may be repeated; without one it makes a throw-away authority',
      },
      crl: {
        kind: 'list',
        value: 'FILE',
        group: 'Service',
        isNew: true,
        description: 'PEM or DER certificate revocation list of an authority; may be repeated',
      },
      pki: {
        kind: 'text',
        value: 'DIRECTORY',
        group: 'Service',
        isNew: true,
        description: 'write ca.pem, leaf.pem and leaf.key of the throw-away authority there',
      },
      'session-ttl': {
        kind: 'number',
        value: 'SECONDS',
        group: 'Service',
        isNew: true,
        description: 'longest session that it issues',
      },
      fault: {
        kind: 'list',
        value: 'SPEC',
        group: 'Service',
        isNew: true,
        description:
          'misbehave: throttle:N, error:CODE:N, latency:MS, skew:SECONDS or reset:N, N requests long; may be repeated',
      },
      'postgres-url': {
        kind: 'text',
        value: 'URL',
        group: 'Service',
        isNew: true,
        description:
          "let the issued database credentials in there: they become passwords of that database's roles",
      },
    },
    examples: [
      [
        'rolesanywhere emulator --pki ./pki',
        'with a throw-away authority, whose certificate and key go to ./pki',
      ],
      [
        'rolesanywhere emulator --port 9912 --trust-anchor ca.pem --fault throttle:2',
        'with your own authority, refusing the first two requests',
      ],
    ],
  },
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
    options: {},
    examples: [
      ['rolesanywhere version', 'the version number'],
      ['rolesanywhere --version', 'the same'],
    ],
  },
  help: {
    summary: 'explain a command',
    purpose: 'Explains one command, or lists them all.',
    argument: {
      name: 'command',
      choices: [
        'credential-process',
        'read-certificate-data',
        'sign-string',
        'serve',
        'update',
        'emulator',
        'completion',
        'version',
        'help',
      ],
      description: 'the command to explain',
    },
    options: {},
    examples: [
      ['rolesanywhere help credential-process', 'its purpose, options and examples'],
      ['rolesanywhere credential-process --help', 'the same'],
    ],
  },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;
export type Shell = (typeof shells)[number];

/** Commands of the old helper, and of ours, that later versions bring. */
export const laterCommands: readonly string[] = ['redshift', 'exec', 'configure', 'doctor'];

export const commandNames = Object.keys(commands) as CommandName[];

export function isCommandName(word: string): word is CommandName {
  return Object.hasOwn(commands, word);
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
