import { describe, expect, test } from 'vitest';
import { type ArnOption, checkArnsAgree, parseArn } from '../../src/aws/arn.ts';
import { failure } from './failure.ts';

const account = '123456789012';
const anchor = `arn:aws:rolesanywhere:us-east-1:${account}:trust-anchor/11111111-2222-3333-4444-555555555555`;
const profile = `arn:aws:rolesanywhere:us-east-1:${account}:profile/66666666-7777-8888-9999-000000000000`;
const role = `arn:aws:iam::${account}:role/path/to/Role+=,.@-_1`;

test('the parts of an ARN', () => {
  expect(parseArn('--trust-anchor-arn', anchor)).toEqual({
    text: anchor,
    partition: 'aws',
    service: 'rolesanywhere',
    region: 'us-east-1',
    account,
    type: 'trust-anchor',
    id: '11111111-2222-3333-4444-555555555555',
  });
  expect(parseArn('--role-arn', role)).toMatchObject({
    region: '',
    type: 'role',
    id: 'path/to/Role+=,.@-_1',
  });
});

test.each([
  ['aws-cn', 'cn-northwest-1'],
  ['aws-us-gov', 'us-gov-west-1'],
  ['aws-iso', 'us-iso-east-1'],
  ['aws-iso-b', 'us-isob-east-1'],
  ['aws-iso-e', 'eu-isoe-west-1'],
  ['aws-iso-f', 'us-isof-south-1'],
  ['aws-eusc', 'eusc-de-east-1'],
  ['aws', 'ap-southeast-4'],
])('%s has the region %s and aws has not the other way round', async (partition, region) => {
  const text = `arn:${partition}:rolesanywhere:${region}:${account}:profile/p`;
  expect(parseArn('--profile-arn', text)).toMatchObject({ partition, region });
  const other = partition === 'aws' ? 'aws-cn' : 'aws';
  const swapped = text.replace(`arn:${partition}:`, `arn:${other}:`);
  expect(await failure(() => parseArn('--profile-arn', swapped))).toMatchObject({ code: 'INVALID_ARGUMENT' });
});

describe('swapped and foreign ARNs are named by what they are', () => {
  test.each<[ArnOption, string, RegExp]>([
    ['--role-arn', profile, /^--role-arn holds a profile's ARN/u],
    ['--role-arn', anchor, /^--role-arn holds a trust anchor's ARN/u],
    ['--profile-arn', role, /^--profile-arn holds a role's ARN/u],
    ['--profile-arn', anchor, /^--profile-arn holds a trust anchor's ARN/u],
    ['--trust-anchor-arn', profile, /^--trust-anchor-arn holds a profile's ARN/u],
    [
      '--trust-anchor-arn',
      `arn:aws:acm-pca:us-east-1:${account}:certificate-authority/x`,
      /private certificate/u,
    ],
    ['--role-arn', `arn:aws:iam::${account}:user/someone`, /holds a user's ARN/u],
    ['--role-arn', `arn:aws:iam::${account}:instance-profile/x`, /holds an instance profile's ARN/u],
    ['--role-arn', `arn:aws:sts::${account}:assumed-role/Name/session`, /holds an assumed role's ARN/u],
    ['--role-arn', `arn:aws:s3:::bucket`, /holds an ARN of another kind/u],
    ['--role-arn', `arn:aws:iam::${account}:root`, /holds an ARN of another kind/u],
  ])('%s %s', async (option, text, words) => {
    const error = await failure(() => parseArn(option, text));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(words);
    expect(error.message).toContain(text);
    expect(error.hint).toContain(option);
  });
});

describe('malformed ARNs', () => {
  test.each<[string, ArnOption, string]>([
    ['empty', '--role-arn', ''],
    ['no ARN at all', '--role-arn', 'MyRole'],
    ['a bare word with colons', '--role-arn', 'a:b:c:d:e:f/g'],
    ['cut short', '--role-arn', `arn:aws:iam::${account}`],
    ['a space at the end', '--role-arn', `${role} `],
    ['a line end', '--role-arn', `${role}\n`],
    ['quotes that the shell left', '--role-arn', `"${role}"`],
    ['an account of 11 digits', '--role-arn', role.replace(account, '12345678901')],
    ['an account in words', '--profile-arn', profile.replace(account, 'aws')],
    ['no account', '--trust-anchor-arn', anchor.replace(account, '')],
    ['a role with a region', '--role-arn', role.replace('::', ':us-east-1:')],
    ['a role without a name', '--role-arn', `arn:aws:iam::${account}:role/`],
    ['a role with a path alone', '--role-arn', `arn:aws:iam::${account}:role/path/`],
    ['a role name of 65 characters', '--role-arn', `arn:aws:iam::${account}:role/${'x'.repeat(65)}`],
    ['a role name with a colon', '--role-arn', `arn:aws:iam::${account}:role/a:b`],
    ['a profile without an id', '--profile-arn', `arn:aws:rolesanywhere:us-east-1:${account}:profile/`],
    ['a profile with a path', '--profile-arn', `${profile}/x`],
    ['a region that is none', '--profile-arn', profile.replace('us-east-1', 'useast1')],
    ['no region', '--profile-arn', profile.replace('us-east-1', '')],
    ['a region with a host in it', '--profile-arn', profile.replace('us-east-1', 'us-east-1.evil.example')],
    ['an unknown partition', '--profile-arn', profile.replace(':aws:', ':aws-mars:')],
    [
      'a partition that is a property of every object',
      '--profile-arn',
      profile.replace(':aws:', ':constructor:'),
    ],
  ])('%s', async (_, option, text) => {
    const error = await failure(() => parseArn(option, text));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message.startsWith(option)).toBe(true);
    expect(error.hint).toBeDefined();
  });
});

describe('the three ARNs must agree', () => {
  const check = (a: string, p: string, r: string): void => {
    checkArnsAgree(
      parseArn('--trust-anchor-arn', a),
      parseArn('--profile-arn', p),
      parseArn('--role-arn', r),
    );
  };
  test('they do', () => {
    expect(() => {
      check(anchor, profile, role);
    }).not.toThrow();
  });
  test.each([
    ['regions', anchor, profile.replace('us-east-1', 'eu-west-1'), role, /us-east-1 and eu-west-1/u],
    ['partitions', anchor, profile, role.replace(':aws:', ':aws-cn:'), /role aws-cn/u],
    ['accounts: the role', anchor, profile, role.replace(account, '210987654321'), /role 210987654321/u],
    [
      'accounts: the profile',
      anchor,
      profile.replace(account, '210987654321'),
      role,
      /profile 210987654321/u,
    ],
  ])('%s', async (_, a, p, r, words) => {
    const error = await failure(() => {
      check(a, p, r);
    });
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(words);
  });
});
