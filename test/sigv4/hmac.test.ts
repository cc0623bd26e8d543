import { createHash, createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { signWithSecretKey } from '../../src/sigv4/hmac.ts';
import { canonicalRequest } from '../../src/sigv4/x509.ts';

const credentials = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret/KEY', sessionToken: 'the-token' };

test('a request is signed as Signature Version 4 says, session token and port included', async () => {
  const request = {
    method: 'POST',
    url: new URL('http://sts.example.com:8080/prefix/'),
    headers: { 'content-type': 'text/plain', 'user-agent': 'unsigned' },
    body: 'Action=GetCallerIdentity',
  };
  const scope = { region: 'us-east-1', service: 'sts', now: new Date('2026-01-02T03:04:05Z') };
  const headers = await signWithSecretKey(request, credentials, scope);
  expect(headers).toMatchObject({
    host: 'sts.example.com:8080',
    'x-amz-date': '20260102T030405Z',
    'x-amz-security-token': 'the-token',
    'user-agent': 'unsigned',
  });

  // The IAM User Guide's derivation, by node:crypto alone.
  const [, signed = '', signature] =
    /SignedHeaders=(.*), Signature=([0-9a-f]{64})$/u.exec(headers['authorization'] ?? '') ?? [];
  const names = signed.split(';');
  expect(names).toEqual(expect.arrayContaining(['host', 'x-amz-date', 'x-amz-security-token']));
  const canonical = canonicalRequest({
    method: 'POST',
    path: '/prefix/',
    query: '',
    headers: names.map((name) => [name, headers[name] ?? '']),
    body: request.body,
  });
  const hash = createHash('sha256').update(canonical).digest('hex');
  const credentialScope = '20260102/us-east-1/sts/aws4_request';
  const text = `AWS4-HMAC-SHA256\n20260102T030405Z\n${credentialScope}\n${hash}`;
  const hmac = (key: string | Buffer, data: string): Buffer =>
    createHmac('sha256', key).update(data).digest();
  const key = ['20260102', 'us-east-1', 'sts', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    'AWS4secret/KEY',
  );
  expect(signature).toBe(hmac(key as Buffer, text).toString('hex'));
});
