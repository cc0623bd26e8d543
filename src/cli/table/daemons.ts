import type { Command } from './kinds.ts';
import { sessionOptions } from './session.ts';

/** The commands that run until somebody stops them. */
export const daemonCommands = {
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
        // Not another's profile, where `--profile "$UNSET"` was meant to be one's own.
        refusesEmpty: true,
        description: 'profile to write; added if it is not there',
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
} as const satisfies Record<string, Command>;
