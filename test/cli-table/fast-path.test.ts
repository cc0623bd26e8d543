import { describe, expect, it } from 'vitest';
import { readFast } from '../../src/cli/fast-path.ts';

const required = ['--trust-anchor-arn', 'T', '--profile-arn', 'P', '--role-arn', 'R'];
const command = ['credential-process', ...required];

/** The values of a `credential-process` line, or undefined when the fast reader leaves it to the careful one. */
function read(...words: string[]): Readonly<Record<string, unknown>> | undefined {
  return readFast([...command, ...words])?.values;
}

describe('spellings', () => {
  it.each([
    ['--region eu-central-1'],
    ['--region=eu-central-1'],
    ['-region eu-central-1'],
    ['-region=eu-central-1'],
    ['--region us-east-1 --region eu-central-1'],
    ['-region=us-east-1 --region=eu-central-1'],
  ])('%s', (line) => {
    expect(read(...line.split(' '))).toMatchObject({ region: 'eu-central-1' });
  });

  it.each([
    '-x',
    '--debug',
    '--',
    '-',
    '--role-arn',
    '--help',
    'a=b',
    'a b',
    'a\nb',
    '--x=y',
    "'q'",
    '"q"',
    '1e3',
  ])('takes the word after an option as its value: %j', (value) => {
    expect(read('--role-session-name', value)).toMatchObject({ 'role-session-name': value, debug: false });
    expect(read(`--role-session-name=${value}`)).toMatchObject({ 'role-session-name': value, debug: false });
  });

  it.each(['1', 't', 'T', 'true', 'TRUE', 'True'])('turns a flag on: --debug=%s', (value) => {
    expect(read(`--debug=${value}`)).toMatchObject({ debug: true });
  });

  it.each(['0', 'f', 'F', 'false', 'FALSE', 'False'])('turns a flag off: --debug=%s', (value) => {
    expect(read('--debug', `--debug=${value}`)).toMatchObject({ debug: false });
  });

  it.each(['yes', 'on', 'tRUE', '', ' ', '01', 'false '])(
    'leaves a wrong flag alone: --debug=%j',
    (value) => {
      expect(read(`--debug=${value}`)).toBeUndefined();
    },
  );

  it('takes no value for a flag from the next word', () => {
    expect(read('--debug', 'false')).toBeUndefined();
  });

  it('reads names that begin with no- as names, not as negations', () => {
    expect(read('--no-verify-ssl', '--no-tpm-key-password', '--no-proxy', '--no-cache')).toMatchObject({
      'no-verify-ssl': true,
      'no-tpm-key-password': true,
      'no-proxy': true,
      'no-cache': true,
      'with-proxy': false,
      cache: false,
    });
    expect(read('--no-debug')).toBeUndefined();
    expect(read('--no-region')).toBeUndefined();
  });

  it('keeps numbers as text', () => {
    expect(read('--session-duration', '0900', '--timeout=1e1')).toMatchObject({
      'session-duration': '0900',
      timeout: '1e1',
    });
  });

  it('collects what may be repeated, in order', () => {
    expect(read('--instance-property', 'a=1', '-instance-property=b=2')).toMatchObject({
      'instance-property': ['a=1', 'b=2'],
    });
  });

  it('fills in defaults', () => {
    expect(read()).toMatchObject({
      'session-duration': '3600',
      timeout: '60',
      debug: false,
      'instance-property': [],
      region: undefined,
    });
  });

  it('takes an empty text of the old helper for none', () => {
    expect(read('--region', 'eu-central-1', '--region=')).toMatchObject({ region: undefined });
    expect(read('--role-arn', '')).toBeUndefined();
  });

  it.each([
    'session-duration',
    'timeout',
    'ca-bundle',
    'key-password-from',
    'instance-property',
    'cert-selector',
  ])('leaves an empty --%s to be refused', (name) => {
    expect(read(`--${name}`, '')).toBeUndefined();
    expect(read(`--${name}=`, `--${name}=900`)).toBeUndefined();
  });

  it('ends the options at --', () => {
    expect(readFast([...required, '--', 'credential-process'])?.command).toBe('credential-process');
    expect(read('--', '--debug')).toBeUndefined();
  });

  it('finds the command behind options', () => {
    expect(readFast(['--debug', ...required, 'credential-process'])).toMatchObject({
      command: 'credential-process',
      values: { debug: true, 'role-arn': 'R' },
    });
  });
});

describe('commands of two words', () => {
  it.each([
    ['redshift url --cluster c'],
    ['--cluster c redshift url'],
    ['redshift --cluster c url'],
    ['-- redshift url'],
  ])('%s', (line) => {
    expect(readFast(line.split(' '))).toMatchObject({ command: 'redshift url', rest: [] });
  });

  it.each([['redshift'], ['url'], ['redshift nonsense'], ['url redshift'], ['redshift url url']])(
    'leaves %s to the careful reader',
    (line) => {
      expect(readFast(line.split(' '))).toBeUndefined();
    },
  );
});

describe('a command behind --', () => {
  const line = ['redshift', 'exec', '--cluster', 'c'];

  it('has all words for itself', () => {
    const rest = ['psql', '--cluster', 'x', '--help', '--', '-c', ''];
    expect(readFast([...line, '--', ...rest])).toMatchObject({
      command: 'redshift exec',
      values: { cluster: 'c' },
      rest,
    });
  });

  it('has to be there, where there is nothing to do without', () => {
    expect(readFast(line)).toBeUndefined();
    expect(readFast([...line, '--'])).toBeUndefined();
    expect(readFast(['redshift', 'connect'])?.rest).toEqual([]);
    expect(readFast(['redshift', 'connect', '--', '-l'])?.rest).toEqual(['-l']);
  });

  it('does not begin without --', () => {
    expect(readFast([...line, 'psql'])).toBeUndefined();
    expect(readFast(['redshift', 'connect', 'psql'])).toBeUndefined();
  });
});

describe('what it leaves to the careful reader', () => {
  it.each([
    [[]],
    [['']],
    [['-']],
    [['--']],
    [['--debug']],
    [['Credential-Process']],
    [['doctor', '--help']],
    [['version', 'x']],
    [['version', '--debug']],
    [['--version', '--debug']],
    [['--version=false']],
    [['completion', 'tcsh']],
    [['completion', 'bash', 'zsh']],
    [['help', 'doctor']],
    [['constructor']],
    [['version', '--constructor']],
    [['version', '--__proto__=1']],
  ])('%j', (words) => {
    expect(readFast(words)).toBeUndefined();
  });

  it.each([
    [['stray']],
    [['--roleSessionName', 'x']],
    [['--role_session_name=x']],
    [['--Region=x']],
    [['---region=x']],
    [['--=x']],
    [['-d']],
    [['--region']],
    [['--certificate', 'x', '--private-key']],
    [['--with-proxy', '--no-proxy']],
    [['--port=1']],
    [['—-region=x']],
  ])('credential-process %j', (words) => {
    expect(read(...words)).toBeUndefined();
  });

  it.each(['--trust-anchor-arn', '--profile-arn', '--role-arn'])('a line without %s', (name) => {
    const words = command.filter((_, i) => command[i] !== name && command[i - 1] !== name);
    expect(words).toHaveLength(command.length - 2);
    expect(readFast(words)).toBeUndefined();
  });

  it('but not what only looks like a contradiction', () => {
    expect(read('--with-proxy', '--no-proxy=false')).toMatchObject({ 'with-proxy': true, 'no-proxy': false });
  });
});

describe('help and version', () => {
  it.each([['--help'], ['-h'], ['-help'], ['--help=true']])('%s', (word) => {
    expect(readFast([word])).toEqual({ command: 'help', values: {}, argument: undefined, rest: [] });
    expect(readFast(['emulator', word])).toEqual({
      command: 'help',
      values: {},
      argument: 'emulator',
      rest: [],
    });
    expect(readFast([word, 'completion'])?.argument).toBe('completion');
    expect(readFast(['redshift', word])?.argument).toBe('redshift');
    expect(readFast(['redshift', 'url', word, '--', '--region'])?.argument).toBe('redshift url');
    expect(readFast(['credential-process', '--nonsense', word])?.argument).toBe('credential-process');
  });

  it.each(['--help=false', '-h=0', '-help=F'])('%s says nothing', (word) => {
    expect(read(word)).toEqual(read());
    expect(readFast(['version', word])?.command).toBe('version');
    expect(readFast([word])).toBeUndefined();
  });

  it('is not asked for by a value', () => {
    expect(read('--role-session-name', '--help')?.['role-session-name']).toBe('--help');
    expect(readFast(['version', '--', '--help'])).toBeUndefined();
  });

  it.each([[['--version']], [['-version']], [['version']]])('%j', (words) => {
    const values = { verbose: words[0] !== 'version' };
    expect(readFast(words)).toEqual({ command: 'version', values, argument: undefined, rest: [] });
  });
});
