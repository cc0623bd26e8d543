import { expect, it } from 'vitest';
import { nearest } from '../../src/cli/suggest.ts';
import { commandNames, commands } from '../../src/cli/options.ts';

const options = Object.keys(commands['credential-process'].options);

it.each([
  ['roleArn', 'role-arn'],
  ['role_arn', 'role-arn'],
  ['ROLE-ARN', 'role-arn'],
  ['rolearn', 'role-arn'],
  ['roel-arn', 'role-arn'],
  ['roleSessionName', 'role-session-name'],
  ['trust-anchor', 'trust-anchor-arn'],
  ['trustanchorarn', 'trust-anchor-arn'],
  ['cert', 'certificate'],
  ['profile', 'profile-arn'],
  ['role', 'role-arn'],
  ['certifcate', 'certificate'],
  ['privatekey', 'private-key'],
  ['no-verify-tls', 'no-verify-ssl'],
  ['cahce', 'cache'],
  ['ednpoint', 'endpoint'],
  ['dbeug', 'debug'],
  ['durations', undefined],
  ['x', undefined],
  ['', undefined],
  ['completely-different', undefined],
])('--%s suggests %s', (word, suggestion) => {
  expect(nearest(word, options)).toBe(suggestion);
});

it.each([
  ['onec', 'once'],
  ['oops', undefined],
  ['ocne', 'once'],
  ['porfile', 'profile'],
])('update --%s suggests %s', (word, suggestion) => {
  expect(nearest(word, Object.keys(commands.update.options))).toBe(suggestion);
});

it.each([
  ['credential-proces', 'credential-process'],
  ['credentials-process', 'credential-process'],
  ['credential', 'credential-process'],
  ['emulate', 'emulator'],
  ['emulador', 'emulator'],
  ['ls', undefined],
])('%s suggests %s', (word, suggestion) => {
  expect(nearest(word, commandNames)).toBe(suggestion);
});
