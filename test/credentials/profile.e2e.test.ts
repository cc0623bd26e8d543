import fc from 'fast-check';
import { expect, it } from 'vitest';
import { setProfile } from '../../src/credentials/profile.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { runProgram } from '../support/command.ts';
import { requirePart } from '../support/system-parts.ts';

const credentials = {
  accessKeyId: 'ASIANEW',
  secretAccessKey: 'new+/=',
  sessionToken: 'token==',
  expiration: new Date('2030-01-01T00:00:00Z'),
};

const indent = fc.constantFrom('', '', '', '  ', '\t', '    ');
const blank = fc.constantFrom('', '', '  ', '# note', ' ; note', '#[default]', '; aws_session_token = x');
const value = fc.oneof(fc.base64String(), fc.constantFrom('', 'a b', '[b]', 'a = b', 'a # b', 'ä€', '\0'));
const key = fc.constantFrom(
  ...['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'AWS_ACCESS_KEY_ID'],
  ...[
    'aws_security_token',
    'aws_access_key_id_backup',
    'region',
    's3',
    'x',
    'role_arn',
    'aws_session_tokens',
  ],
);
const option = fc
  .tuple(indent, key, fc.constantFrom('=', ' = ', ' =\t', ':', ' : '), value)
  .map((parts) => parts.join(''));
const continuation = fc.tuple(fc.constantFrom('      ', '\t\t\t\t\t'), value).map((parts) => parts.join(''));
const line = fc.oneof({ weight: 4, arbitrary: option }, blank, continuation);
const header = (name: string) =>
  fc
    .tuple(indent, fc.constantFrom('', ' # note', '  ', 'x'))
    .map(([before, after]) => `${before}[${name}]${after}`);

/** A file that botocore can mostly read: no section stands twice. */
const file = fc
  .shuffledSubarray(['default', 'a', 'default ', 'profile default', 'defaults', 'b c'], { minLength: 1 })
  .chain((names) =>
    fc.tuple(
      fc.constantFrom('\n', '\n', '\r\n', '\r'),
      fc.array(blank, { maxLength: 2 }),
      fc.tuple(
        ...names.map((name) =>
          fc.tuple(header(name), fc.uniqueArray(line, { maxLength: 6, selector: nameOf })),
        ),
      ),
      fc.boolean(),
    ),
  )
  .map(([end, start, sections, isEnded]) => {
    const text = [...start, ...sections.flat(2)].join(end);
    return isEnded ? text + end : text;
  });

/** Of an option its key in lower case, so that none stands twice; anything else is itself. */
function nameOf(text: string): string {
  return /^\s*([\w]+)\s*[:=]/.exec(text)?.[1]?.toLowerCase() ?? text;
}

/** Undefined where it is refused: a header hangs from one of our keys. */
function edited(before: Uint8Array): Uint8Array | undefined {
  try {
    return setProfile(before, 'default', credentials);
  } catch (error) {
    if (error instanceof RolesAnywhereError && error.code === 'FILE_UNWRITABLE') return undefined;
    throw error;
  }
}

it('botocore reads our keys and everything else as before', { timeout: 120_000 }, async () => {
  const cases = fc.sample(file, 1000).flatMap((text) => {
    const before = Buffer.from(text);
    const after = edited(before);
    return after === undefined ? [] : [{ before, after }];
  });
  const { stdout, stderr } = await runProgram(
    requirePart('boto3'),
    ['test/credentials/botocore-judge.py', 'default', 'ASIANEW', 'new+/=', 'token=='],
    {
      input: cases
        .map(({ before, after }) => ({
          before: before.toString('base64'),
          after: Buffer.from(after).toString('base64'),
        }))
        .map((each) => `${JSON.stringify(each)}\n`)
        .join(''),
      timeout: 120_000,
    },
  );
  expect(stderr).toBe('');
  const verdicts = stdout
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text) as string);
  const wrong = cases.flatMap(({ before, after }, i) =>
    verdicts[i] === 'good' || verdicts[i] === 'unreadable'
      ? []
      : [[verdicts[i], before.toString(), Buffer.from(after).toString()]],
  );
  expect(wrong.slice(0, 3)).toEqual([]);
  expect(verdicts.length).toBe(cases.length);
  // Or it would judge nothing.
  expect(cases.length).toBeGreaterThan(800);
  expect(verdicts.filter((verdict) => verdict === 'good').length).toBeGreaterThan(cases.length / 2);
});
