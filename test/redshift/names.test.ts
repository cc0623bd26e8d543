import { describe, expect, it } from 'vitest';
import { reservedWords as emulatorsWords } from '../../src/emulator/redshift-names.ts';
import { checkName } from '../../src/redshift/names.ts';
import type { NameOption } from '../../src/redshift/names.ts';
import { reservedWords } from '../../src/redshift/reserved-words.ts';
import { failure } from '../aws/failure.ts';

const long = (length: number): string => 'a'.repeat(length);

/** The examples of the API's references, and what lies on either side of each limit. */
const cases: Readonly<Record<NameOption, { takes: readonly string[]; refuses: readonly string[] }>> = {
  cluster: {
    takes: ['a', 'my-cluster-1', long(63)],
    refuses: ['', 'A', '1a', 'a-', 'a--b', 'a_b', 'a.b', 'a/b', long(64), 'a\n'],
  },
  workgroup: {
    takes: ['abc', 'my-wg', '1-2', long(64)],
    refuses: ['', 'ab', 'Abc', 'a_b', long(65), 'abc\n'],
  },
  'custom-domain': {
    takes: ['warehouse.example.com', 'a.bc', 'xn--bcher-kva.example'],
    refuses: [
      '',
      'localhost',
      '-a.example',
      'a-.example',
      'a..b',
      'a.b/c',
      'https://a.example',
      'a.example:5439',
    ],
  },
  database: {
    takes: ['dev', 'D', 'a_b+c.d@e-f', long(64)],
    refuses: [
      '',
      '1a',
      '_a',
      'a:b',
      'a/b',
      'a b',
      'ä',
      'select',
      'SELECT',
      'Table',
      'language',
      long(65),
      'dev\n',
    ],
  },
  'db-user': {
    takes: ['etl', 'Etl', 'a+b@c.d', long(64)],
    refuses: ['', long(1000), 'IAM:etl', '1', 'a/b', 'public', 'PUBLIC', 'user', 'Wallet', 'a"b', long(65)],
  },
  'db-group': {
    takes: ['readers', 'a_b+c.d@e-1'],
    refuses: ['', 'Readers', 'aB', '1a', 'group', 'a:b', long(65)],
  },
  host: {
    takes: ['warehouse.example.com', 'localhost', '10.0.0.1', '::1', 'fd00::1', 'a_b'],
    refuses: ['', 'a:5439', '[::1]', 'https://a', 'a/b', 'a b', '-a', 'a;b', 'a,b', '/tmp'],
  },
};

describe.each(Object.entries(cases))('--%s', (option, { takes, refuses }) => {
  it.each(takes)('takes %j', (name) => {
    checkName(option as NameOption, name);
  });

  it.each(refuses)('refuses %j', async (name) => {
    const error = await failure(() => {
      checkName(option as NameOption, name);
    });
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(`--${option}`);
    expect(error.message.length).toBeLessThan(200);
    expect(error.hint).not.toBe('');
  });
});

it('no word is reserved to the one side alone, neither to us nor to the emulator', () => {
  const lower = [...reservedWords].map((word) => word.toLowerCase());
  expect(new Set(lower)).toEqual(emulatorsWords);
});
