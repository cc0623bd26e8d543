import type { Command, Option } from './kinds.ts';
import { arnOptions, sessionOptions } from './session.ts';

/**
 * Those of a session, none of them required: without them, AWS credentials come from the environment; but not where
 * `--role-arn "$UNSET"` asks for a session.
 */
const optionalSession = {
  ...sessionOptions,
  'trust-anchor-arn': { ...arnOptions['trust-anchor-arn'], refusesEmpty: true },
  'profile-arn': { ...arnOptions['profile-arn'], refusesEmpty: true },
  'role-arn': { ...arnOptions['role-arn'], refusesEmpty: true },
  region: {
    ...sessionOptions.region,
    description: "region of the database; the trust anchor's, else AWS_REGION, unless given",
  },
  timeout: {
    ...sessionOptions.timeout,
    description:
      'longest time that opening a session may take, and again getting the login, retries included',
  },
  cache: {
    ...sessionOptions.cache,
    description:
      'share session and login with other processes of this user, as is done unless ROLESANYWHERE_CACHE is 0',
  },
  'no-cache': {
    ...sessionOptions['no-cache'],
    description: 'get a session and a login of its own',
  },
} as const satisfies Record<string, Option>;

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

export const redshiftCommands = {
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
      'Prints lines that set PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE and PGSSLROOTCERT, and unset what ' +
      'would lead elsewhere (PGSERVICE, PGHOSTADDR), for a POSIX shell to evaluate.',
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
} as const satisfies Record<string, Command>;
