import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { parseFaults } from '../../src/emulator/faults.ts';
import type { ServiceError } from '../../src/emulator/service-error.ts';
import { sendBytes } from './support/exchange.ts';
import { issue, issueAuthority, noon } from './support/pki.ts';
import { TestService } from './support/service.ts';

const authority = issueAuthority('Root');
const leaf = issue({ by: authority });

describe('a fault specification', () => {
  test.each([
    '',
    'throttle',
    'throttle:',
    'throttle:0',
    'throttle:-1',
    'throttle:1.5',
    'throttle:1e3',
    'throttle:1:2',
    'throttle: 1',
    'throttle:1000001',
    'throttle:0x10',
    'reset',
    'reset:all',
    'error:500',
    'error:399:1',
    'error:600:1',
    'error:Nothing:1',
    'error:toString:1',
    'error:500:0',
    'latency',
    'latency:-1',
    'latency:1s',
    'latency:3600001',
    'skew',
    'skew:',
    'skew:1000000001',
    'Throttle:1',
    'thunder:1',
  ])('%j is refused', (specification) => {
    expect(() => parseFaults([specification])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', hint: expect.any(String) as string }) as Error,
    );
  });

  test('fails as many requests as it says, one fault after the other', () => {
    const faults = parseFaults(['throttle:2', 'reset:1', 'error:503:1', 'error:AccessDeniedException:1']);
    const seen = Array.from({ length: 6 }, () => faults.next().failure).map((failure) =>
      failure === undefined || failure === 'reset' ? failure : `${failure.status} ${failure.code}`,
    );
    expect(seen).toEqual([
      '429 ThrottlingException',
      '429 ThrottlingException',
      'reset',
      '503 ServiceUnavailableException',
      '403 AccessDeniedException',
      undefined,
    ]);
  });

  test.each([
    ['400', 'ValidationException'],
    ['403', 'AccessDeniedException'],
    ['404', 'ResourceNotFoundException'],
    ['418', 'ValidationException'],
    ['429', 'ThrottlingException'],
    ['500', 'InternalServerException'],
    ['599', 'InternalServerException'],
  ])('of status %s answers with it, as %s', (status, code) => {
    const failure = parseFaults([`error:${status}:1`]).next().failure as ServiceError;
    expect([failure.status, failure.code]).toEqual([Number(status), code]);
  });

  test('adds up latency and skew, and uses neither up', () => {
    const faults = parseFaults(['latency:10', 'skew:-90', 'latency:5', 'skew:+30']);
    expect([faults.skewMilliseconds, faults.next(), faults.next()]).toEqual([
      -60_000,
      { latencyMilliseconds: 15, failure: undefined },
      { latencyMilliseconds: 15, failure: undefined },
    ]);
  });
});

describe('a fault', () => {
  test('throttles, then serves', async () => {
    await using service = await TestService.start([authority], { faults: ['throttle:1'] });
    const answer = await service.createSession({ leaf });
    expect([answer.status, answer.headers['x-amzn-errortype'], answer.body, answer.why]).toEqual([
      429,
      'ThrottlingException',
      '{"message":"Rate exceeded"}',
      'fault: throttle',
    ]);
    expect((await service.createSession({ leaf })).status).toBe(201);
  });

  test('answers STS in its own shape', async () => {
    await using service = await TestService.start([authority], { faults: ['throttle:1'] });
    const answer = await service.send({
      method: 'GET',
      target: '/?Action=GetCallerIdentity',
      headers: [['host', service.host]],
      body: '',
    });
    expect([answer.status, answer.body]).toEqual([
      400,
      expect.stringContaining('<Code>Throttling</Code><Message>Rate exceeded</Message>'),
    ]);
  });

  test('resets the connection', async () => {
    await using service = await TestService.start([authority], { faults: ['reset:1'] });
    await expect(service.createSession({ leaf })).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(service.log).toMatchObject([
      { ok: false, status: 0, operation: 'CreateSession', why: 'fault: reset' },
    ]);
    expect((await service.createSession({ leaf })).status).toBe(201);
  });

  test('delays every answer', async () => {
    await using service = await TestService.start([authority], { faults: ['latency:150'] });
    const start = performance.now();
    await service.createSession({ leaf });
    expect(performance.now() - start).toBeGreaterThan(140);
  });

  test('outlasts a client that does not wait', async () => {
    await using service = await TestService.start([authority], { faults: ['latency:100', 'reset:1'] });
    const { hostname, port } = new URL(service.emulator.endpoint);
    for (let round = 1; round <= 2; round++) {
      const socket = connect(Number(port), hostname);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n', () => setTimeout(() => socket.resetAndDestroy(), 20));
      await expect.poll(() => service.log).toHaveLength(round);
    }
    expect((await service.createSession({ leaf })).status).toBe(201);
  });

  test('does not hold up the end', async () => {
    const service = await TestService.start([authority], { faults: ['latency:60000'] });
    const pending = sendBytes(service.emulator.endpoint, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const start = performance.now();
    await service[Symbol.asyncDispose]();
    expect(performance.now() - start).toBeLessThan(1000);
    expect(await pending).toBe('');
  });

  test('skews the clock of the service, in its date and in its judgement', async () => {
    await using service = await TestService.start([authority], { faults: ['skew:3600'] });
    const refused = await service.createSession({ leaf });
    expect([refused.status, refused.body]).toEqual([403, expect.stringContaining('Signature expired')]);
    expect(refused.headers['date']).toBe('Mon, 15 Jun 2026 13:00:00 GMT');
    const date = new Date(noon.getTime() + 3_600_000);
    const answer = await service.createSession({ leaf, date });
    expect([answer.status, answer.body]).toEqual([201, expect.stringContaining('"2026-06-15T14:00:00Z"')]);
  });
});
