import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { clean, describe as tell, readServiceError, serviceRefused } from '../../src/aws/service-error.ts';
import { hintForSession } from '../../src/aws/session-hints.ts';

const read = (body: string, headers: Record<string, string> = {}, status = 403) =>
  readServiceError({ status, headers, body });

describe('where the code and the words stand', () => {
  test.each<[string, string, Record<string, string>, string | undefined, string]>([
    [
      'header',
      '{"message":"m"}',
      { 'x-amzn-errortype': 'AccessDeniedException' },
      'AccessDeniedException',
      'm',
    ],
    [
      'header with a URL',
      '{"Message":"m"}',
      { 'x-amzn-errortype': 'ValidationException:http://internal.amazon.com/coral/' },
      'ValidationException',
      'm',
    ],
    [
      'header with a namespace',
      '{"message":"m"}',
      { 'x-amzn-errortype': 'com.amazonaws.rolesanywhere#FooException:http://x#y' },
      'FooException',
      'm',
    ],
    ['code', '{"code":"Foo","message":"m"}', {}, 'Foo', 'm'],
    ['__type', '{"__type":"com.amazon.coral.service#Foo","message":"m"}', {}, 'Foo', 'm'],
    [
      'query protocol',
      '<ErrorResponse><Error><Code>ExpiredToken</Code><Message>a &lt;b&gt; &amp;amp;</Message></Error></ErrorResponse>',
      {},
      'ExpiredToken',
      'a <b> &amp;',
    ],
    ['nothing', '', {}, undefined, ''],
    ['JSON without words, which may hold anything', '{"message":{"a":1},"code":7}', {}, undefined, ''],
    ['JSON null', 'null', {}, undefined, 'null'],
    [
      'HTML',
      '<!DOCTYPE html><html><head><style>p{color:red}</style></head><body><h1>403</h1>\n<p>Blocked</p></body>',
      {},
      undefined,
      '403 Blocked',
    ],
  ])('%s', (_, body, headers, code, message) => {
    expect(read(body, headers)).toMatchObject({ code, message });
  });

  test.each([
    ['gzip', gzipSync('Blocked').toString('utf8'), ''],
    ['br', '\u000b\u0003\ufffdBlocked', ''],
    ['identity', 'Blocked', 'Blocked'],
  ])('words in the encoding %s', (encoding, body, message) => {
    expect(read(body, { 'content-encoding': encoding }).message).toBe(message);
  });

  test('the request id', () => {
    expect(read('', { 'x-amzn-requestid': 'a' }).requestId).toBe('a');
    expect(read('', { 'x-amz-request-id': 'b' }).requestId).toBe('b');
    expect(read('<RequestId>c</RequestId>').requestId).toBe('c');
    expect(read('{}').requestId).toBeUndefined();
  });
});

test('words from outside fit one line', () => {
  expect(clean('a\r\n\tb\u001b[31m\u0000c\u200bd\u2028e', 100)).toBe('a b [31m c d e');
  expect(clean('x'.repeat(20), 10)).toHaveLength(10);
});

test('what is not there is not told', () => {
  expect(tell({ status: 403, code: undefined, message: '', requestId: undefined })).not.toContain(
    'undefined',
  );
});

describe('the opaque refusals have hints', () => {
  const hint = (message: string, code = 'AccessDeniedException'): string =>
    serviceRefused('service', { status: 403, code, message, requestId: 'r' }, hintForSession).hint ?? '';
  test.each([
    ['Untrusted signing certificate', /trust-anchor-arn.*intermediates/u],
    ['Insufficient certificate', /digitalSignature/u],
    ['Certificate revoked', /revocation list/u],
    ['Unable to assume role', /trust policy.*sts:SetSourceIdentity/u],
    ['Not authorized to set roleSessionName.', /acceptRoleSessionName/u],
    ['Credential should be scoped to a valid region', /--region/u],
    ['Invalid signature', /clock/u],
    ['Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z', /clock/u],
    ['something new', /trust anchor and profile are enabled/u],
  ])('%s', (message, words) => {
    expect(hint(message)).toMatch(words);
  });
  test('a resource that is not there', () => {
    expect(hint('not found', 'ResourceNotFoundException')).toMatch(/ARN/u);
  });
  test('none where nothing is known', () => {
    expect(hint('new', 'NewException')).toBe('');
  });
});
