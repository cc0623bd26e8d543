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

/** The words behind `--`: a command of the user's own, which reads its options itself. */
interface Rest {
  readonly name: string;
  readonly description: string;
  readonly required?: true;
}

export interface Command {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What it does and what it prints. */
  readonly purpose: string;
  readonly argument?: Argument;
  readonly rest?: Rest;
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

/** The session's resources; required where there is always a session. */
const arnOptions = {
  'trust-anchor-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    description: 'trust anchor that the certificate chains to',
  },
  'profile-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    description: 'Roles Anywhere profile that lists the role',
  },
  'role-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    description: 'IAM role to assume',
  },
} as const satisfies Record<string, Option>;

const sessionOptions = {
  'trust-anchor-arn': { ...arnOptions['trust-anchor-arn'], required: true },
  'profile-arn': { ...arnOptions['profile-arn'], required: true },
  'role-arn': { ...arnOptions['role-arn'], required: true },
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

/** Those of a session, none of them required: without them, AWS credentials come from the environment. */
const optionalSession = {
  ...sessionOptions,
  ...arnOptions,
  region: {
    ...sessionOptions.region,
    description: "region of the database; the trust anchor's, else AWS_REGION, unless given",
  },
};

const databaseOptions = {
  cluster: {
    kind: 'text',
    value: 'ID',
    group: 'Database',
    isNew: true,
    conflicts: 'workgroup',
    description: 'identifier of a provisioned cluster',
  },
  workgroup: {
    kind: 'text',
    value: 'NAME',
    group: 'Database',
    isNew: true,
    description: 'name of a serverless workgroup',
  },
  'custom-domain': {
    kind: 'text',
    value: 'NAME',
    group: 'Database',
    isNew: true,
    description: 'its domain name of your own; of a cluster unless --workgroup is given too',
  },
  database: {
    kind: 'text',
    value: 'NAME',
    group: 'Database',
    isNew: true,
    default: 'dev',
    description: 'database to log in to',
  },
  'db-user': {
    kind: 'text',
    value: 'NAME',
    group: 'Database',
    isNew: true,
    conflicts: 'workgroup',
    description: "database user of a cluster to log in as; the IAM role's own unless given",
  },
  'auto-create': {
    kind: 'flag',
    group: 'Database',
    isNew: true,
    description: 'make that user when it is not there',
  },
  'db-group': {
    kind: 'list',
    value: 'NAME',
    group: 'Database',
    isNew: true,
    description: 'group that the user joins for the session; may be repeated',
  },
  duration: {
    kind: 'number',
    value: 'SECONDS',
    group: 'Database',
    isNew: true,
    default: '900',
    description: 'how long one can log in with the password, 900 to 3600',
  },
  host: {
    kind: 'text',
    value: 'HOST',
    group: 'Database',
    isNew: true,
    description: 'where to connect to; else Amazon Redshift is asked',
  },
  'port-db': {
    kind: 'number',
    value: 'PORT',
    group: 'Database',
    isNew: true,
    description: 'its port; else Amazon Redshift is asked, or 5439 beside --host',
  },
} as const satisfies Record<string, Option>;

const redshiftOptions = { ...databaseOptions, ...optionalSession };

const tlsOptions = {
  sslmode: {
    kind: 'text',
    value: 'MODE',
    group: 'Connection',
    isNew: true,
    default: 'verify-full',
    description: "how the client checks the database's certificate: libpq's modes, disable to verify-full",
  },
  sslrootcert: {
    kind: 'text',
    value: 'FILE',
    group: 'Connection',
    isNew: true,
    description: "PEM authorities that the database's certificate must chain to; the system's unless given",
  },
} as const satisfies Record<string, Option>;

const noPassword = {
  kind: 'flag',
  group: 'Connection',
  isNew: true,
  description: 'leave the password out',
} as const satisfies Option;

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
  'redshift credentials': {
    summary: 'print temporary database credentials as JSON',
    purpose:
      'Trades AWS credentials (of a session that it opens with a certificate, else of AWS_ACCESS_KEY_ID and so on) for a ' +
      'temporary Redshift login, and prints {"dbUser","dbPassword","expiration","host","port","database"}. Log in with ' +
      'the dbUser that is printed: its prefix belongs to it.',
    options: redshiftOptions,
    examples: [
      [
        'rolesanywhere redshift credentials --cluster warehouse --db-user etl \\\n' +
          '  --certificate leaf.pem --private-key leaf.key \\\n' +
          '  --trust-anchor-arn "$ANCHOR" --profile-arn "$PROFILE" --role-arn "$ROLE"',
        'as a user of a provisioned cluster',
      ],
      [
        'rolesanywhere redshift credentials --workgroup reports',
        'as the IAM role, in a workgroup, with AWS credentials of the environment',
      ],
    ],
  },
  'redshift url': {
    summary: 'print a connection string for a client',
    purpose:
      'Prints a connection string, password included, in the form that a client reads, escaped by its rules. Never put ' +
      "it into a command's arguments: every user of the machine can read those.",
    options: {
      ...redshiftOptions,
      ...tlsOptions,
      format: {
        kind: 'text',
        value: 'FORMAT',
        group: 'Connection',
        isNew: true,
        default: 'uri',
        description: 'json, env, uri, jdbc, odbc, pgpass, psycopg or redshift-connector',
      },
      'no-password': noPassword,
    },
    examples: [
      ['rolesanywhere redshift url --cluster warehouse --db-user etl', 'a postgresql:// URI'],
      [
        'rolesanywhere redshift url --workgroup reports --format jdbc --no-password',
        "a URL for Amazon's JDBC driver, which then asks for the password",
      ],
    ],
  },
  'redshift env': {
    summary: 'print export lines for psql and its like',
    purpose:
      'Prints lines that set PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE and PGSSLROOTCERT, for a POSIX ' +
      'shell to evaluate.',
    options: { ...redshiftOptions, ...tlsOptions, 'no-password': noPassword },
    examples: [
      ['eval "$(rolesanywhere redshift env --cluster warehouse --db-user etl)"', 'for this shell'],
      [
        'rolesanywhere redshift env --workgroup reports > reports.env',
        'for later: a file with a password in it',
      ],
    ],
  },
  'redshift exec': {
    summary: 'run a command that finds the login in PGHOST, PGUSER …',
    purpose:
      'Runs a command with PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE and PGSSLROOTCERT set, which psql ' +
      "and everything else made with libpq reads, and ends with the command's own exit code.",
    rest: { name: 'COMMAND', required: true, description: 'the command and its arguments' },
    options: {
      ...redshiftOptions,
      ...tlsOptions,
      'refresh-pgpass': {
        kind: 'text',
        value: 'FILE',
        group: 'Connection',
        isNew: true,
        description:
          'keep the password fresh in this file (PGPASSFILE) instead, for a command that outlives it and connects again',
      },
    },
    examples: [
      ['rolesanywhere redshift exec --workgroup reports -- python3 etl.py', 'a Python program'],
      [
        'rolesanywhere redshift exec --cluster warehouse --db-user etl \\\n' +
          '  --refresh-pgpass ./pgpass -- ./server',
        'a server that connects again and again',
      ],
    ],
  },
  'redshift connect': {
    summary: 'open psql, logged in',
    purpose: "Runs psql, logged in, and ends with psql's own exit code.",
    rest: { name: 'PSQL-ARGUMENT', description: "psql's own arguments" },
    options: { ...redshiftOptions, ...tlsOptions },
    examples: [
      ['rolesanywhere redshift connect --cluster warehouse --db-user etl', 'a prompt'],
      [
        'rolesanywhere redshift connect --workgroup reports -- -c "select current_user"',
        'one statement, in a serverless workgroup',
      ],
    ],
  },
  'redshift check': {
    summary: 'walk the whole way to the database and say what fails',
    purpose:
      'Gets AWS credentials, asks who they are, asks for a login, finds the database, resolves its name, opens its port, ' +
      'begins TLS, logs in and asks select current_user. Prints what holds at each step; the first that fails is told ' +
      'with its likely cause. Uses no cache.',
    options: { ...redshiftOptions, ...tlsOptions },
    examples: [
      [
        'rolesanywhere redshift check --cluster warehouse --db-user etl',
        'with AWS credentials of the environment',
      ],
      [
        'rolesanywhere redshift check --workgroup reports --sslrootcert ca.pem',
        'with authorities of your own choice',
      ],
    ],
  },
  'redshift policy': {
    summary: 'print the policies that the role needs',
    purpose:
      "Prints, as one JSON object, the IAM policy that the role needs for this very command line (policy), and the role's " +
      'trust policy (trustPolicy): the least that works, with the right ARNs. Asks nobody.',
    options: redshiftOptions,
    examples: [
      [
        'rolesanywhere redshift policy --cluster warehouse --db-user etl \\\n' +
          '  --certificate leaf.pem \\\n' +
          '  --trust-anchor-arn "$ANCHOR" --profile-arn "$PROFILE" --role-arn "$ROLE"',
        'for one user of a cluster, and the holder of one certificate',
      ],
      [
        'rolesanywhere redshift policy --workgroup reports --role-arn "$ROLE" \\\n' +
          '  --trust-anchor-arn "$ANCHOR"',
        'for a serverless workgroup',
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
      get choices(): readonly string[] {
        return topics;
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

const topics: readonly Topic[] = choicesBehind(undefined).flatMap(({ topic }) =>
  isGroupName(topic) ? [topic, ...choicesBehind(topic).map((choice) => choice.topic)] : [topic],
);

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
