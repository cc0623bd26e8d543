import { describe, expect, test, vi } from 'vitest';
import { explainFailure } from '../../src/aws/failures.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { TransportError } from '../../src/runtime/exchange.ts';

const url = new URL('https://service.example:8443/sessions');
const proxy = new URL('http://me:hunter2@proxy.example:3128');

const withCode = (code: string, cause?: Error): Error =>
  Object.assign(new Error(`${code} canary`, cause === undefined ? {} : { cause }), { code });

describe('what an error code means, and whether to try again: directly and through a proxy', () => {
  test.each<[string, ErrorCode, ErrorCode, boolean]>([
    ['ECONNREFUSED', 'SERVICE_UNREACHABLE', 'PROXY_FAILED', true],
    ['ECONNRESET', 'SERVICE_UNREACHABLE', 'PROXY_FAILED', true],
    ['EPIPE', 'SERVICE_UNREACHABLE', 'PROXY_FAILED', true],
    ['EHOSTUNREACH', 'SERVICE_UNREACHABLE', 'PROXY_FAILED', true],
    ['ENETUNREACH', 'SERVICE_UNREACHABLE', 'PROXY_FAILED', true],
    ['UND_ERR_SOCKET', 'SERVICE_UNREACHABLE', 'PROXY_FAILED', true],
    ['ENOTFOUND', 'SERVICE_UNREACHABLE', 'PROXY_FAILED', false],
    ['EAI_AGAIN', 'SERVICE_UNREACHABLE', 'PROXY_FAILED', true],
    ['ETIMEDOUT', 'SERVICE_TIMEOUT', 'SERVICE_TIMEOUT', true],
    ['CONNECT_TIMEOUT', 'SERVICE_TIMEOUT', 'SERVICE_TIMEOUT', true],
    ['UND_ERR_CONNECT_TIMEOUT', 'SERVICE_TIMEOUT', 'SERVICE_TIMEOUT', true],
    ['ANSWER_TIMEOUT', 'SERVICE_TIMEOUT', 'SERVICE_TIMEOUT', true],
    ['ANSWER_TOO_LARGE', 'SERVICE_FAILED', 'SERVICE_FAILED', false],
    ['HPE_INVALID_CONSTANT', 'SERVICE_FAILED', 'SERVICE_FAILED', false],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'TLS_UNTRUSTED', 'TLS_UNTRUSTED', false],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'TLS_UNTRUSTED', 'TLS_UNTRUSTED', false],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TLS_UNTRUSTED', 'TLS_UNTRUSTED', false],
    ['CERT_HAS_EXPIRED', 'TLS_UNTRUSTED', 'TLS_UNTRUSTED', false],
    ['CERT_SIGNATURE_FAILURE', 'TLS_UNTRUSTED', 'TLS_UNTRUSTED', false],
    ['INVALID_PURPOSE', 'TLS_UNTRUSTED', 'TLS_UNTRUSTED', false],
    ['UNABLE_TO_GET_CRL', 'TLS_UNTRUSTED', 'TLS_UNTRUSTED', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'TLS_UNTRUSTED', 'TLS_UNTRUSTED', false],
    ['EPROTO', 'SERVICE_UNREACHABLE', 'SERVICE_UNREACHABLE', false],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'SERVICE_UNREACHABLE', 'SERVICE_UNREACHABLE', false],
    ['EUNHEARDOF', 'SERVICE_UNREACHABLE', 'SERVICE_UNREACHABLE', false],
  ])('%s', (code, direct, proxied, retry) => {
    for (const [through, expected] of [
      [undefined, direct],
      [proxy, proxied],
    ] as const) {
      const failure = explainFailure(withCode(code), url, through);
      expect(failure.error.code).toBe(expected);
      expect(failure.retry).toBe(retry);
      const text = JSON.stringify([failure.error.message, failure.error.hint, failure.error.cause]);
      expect(text).not.toMatch(/hunter2|canary/u);
      expect(text).toMatch(/service\.example|proxy\.example/u);
    }
  });

  test('an error that undici wraps', () => {
    const wrapped = withCode('UND_ERR_PRX_TLS', withCode('ERR_TLS_CERT_ALTNAME_INVALID'));
    expect(explainFailure(wrapped, url, proxy).error.code).toBe('TLS_UNTRUSTED');
    expect(explainFailure(withCode('UND_ERR_SOCKET', withCode('EPROTO')), url, proxy).retry).toBe(false);
  });

  test('what is not HTTP, in the words of undici, and where it came from', () => {
    const parserError = Object.assign(new Error('Response does not match the HTTP/1.1 protocol (canary)'), {
      name: 'HTTPParserError',
      code: undefined,
    });
    const { error } = explainFailure(parserError, url, proxy);
    expect(error.code).toBe('SERVICE_FAILED');
    expect(error.hint).toBeDefined();
    expect(error.message).toMatch(/proxy\.example:3128.*HTTP/u);
    expect(error.message).not.toContain('canary');
  });

  test.each(['ECONNREFUSED', 'ECONNRESET', 'CONNECT_TIMEOUT'])(
    'the hint at %s names the variable that counts',
    (code) => {
      vi.stubEnv('HTTPS_PROXY', '');
      vi.stubEnv('https_proxy', 'http://proxy.example:3128');
      expect(explainFailure(withCode(code), url, proxy).error.hint).toMatch(/https_proxy/u);
      vi.stubEnv('http_proxy', '');
      vi.stubEnv('HTTP_PROXY', 'http://proxy.example:3128');
      const plain = new URL('http://service.example');
      expect(explainFailure(withCode(code), plain, proxy).error.hint).toMatch(/HTTP_PROXY/u);
      vi.unstubAllEnvs();
    },
  );

  test('what is no error at all', () => {
    for (const cause of [undefined, null, 'text', new Error('no code')]) {
      expect(explainFailure(cause, url, undefined)).toMatchObject({ retry: false });
    }
  });

  test.each([
    [407, false],
    [403, false],
    [503, true],
  ])("a proxy's refusal with %d", (status, retry) => {
    const failure = explainFailure(new TransportError('PROXY_REFUSED', status), url, proxy);
    expect(failure).toMatchObject({ retry, error: { code: 'PROXY_FAILED' } });
    expect(failure.error.message).toContain(String(status));
  });

  test('only an unknown authority makes us ask the system', () => {
    const unknown = (code: string): boolean =>
      explainFailure(withCode(code), url, undefined).unknownAuthority;
    expect(unknown('UNABLE_TO_GET_ISSUER_CERT_LOCALLY')).toBe(true);
    expect(unknown('SELF_SIGNED_CERT_IN_CHAIN')).toBe(true);
    expect(unknown('ERR_TLS_CERT_ALTNAME_INVALID')).toBe(false);
    expect(unknown('CERT_HAS_EXPIRED')).toBe(false);
    expect(unknown('CERT_REVOKED')).toBe(false);
  });
});
