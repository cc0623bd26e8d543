import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Learned } from '../../src/aws/http.ts';
import { pause } from '../../src/aws/retry.ts';
import type { ServiceErrorDetails } from '../../src/aws/service-error.ts';
import type { RolesAnywhereError } from '../../src/errors.ts';
import { failure } from './failure.ts';
import {
  type LocalService,
  localService,
  type Scripted,
  sessionBody,
  vectorIdentity,
} from './local-service.ts';
import { open, type Said } from './open-session.ts';

beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_') || /_proxy$/iu.test(name)) vi.stubEnv(name, undefined);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const at = (service: { readonly port: number }): string => `http://127.0.0.1:${service.port}`;

async function withAnswers<T>(answers: Scripted[], run: (service: LocalService) => Promise<T>): Promise<T> {
  await using service = await localService(answers);
  return await run(service);
}

const error = (status: number, type: string, message = 'words of the service'): Scripted => ({
  status,
  headers: { 'x-amzn-ErrorType': type, 'x-amzn-RequestId': 'request-1' },
  body: JSON.stringify({ message }),
});

describe('what is tried again', () => {
  test.each<[string, Scripted]>([
    ['500', { status: 500, body: 'oops' }],
    ['502 with a page of HTML', { status: 502, body: '<html><body>Bad Gateway</body></html>' }],
    ['503', error(503, 'ServiceUnavailableException')],
    ['429', error(429, 'ThrottlingException')],
    ['throttling by its code alone', error(400, 'ThrottlingException')],
    ['a reset before the answer', (socket) => socket.destroy()],
    [
      'a reset in the middle of the answer',
      (socket) => {
        socket.write('HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{"credentialSet"');
        setImmediate(() => socket.destroy());
      },
    ],
  ])('%s', async (_, answer) => {
    const identity = vectorIdentity();
    await withAnswers([answer, answer, {}], async (service) => {
      await expect(open(at(service), {}, undefined, identity)).resolves.toMatchObject({
        roleArn: expect.any(String) as string,
      });
      expect(service.received).toHaveLength(3);
    });
    // A key that asks for a PIN each time must not be asked again for a retry.
    expect(identity.signatures).toHaveLength(1);
  });

  test('an endless 500 ends after five attempts, with the service’s words', async () => {
    await withAnswers([error(500, 'InternalServerException')], async (service) => {
      const problem = await failure(() => open(at(service)));
      expect(problem.code).toBe('SERVICE_FAILED');
      expect(problem.message).toContain('words of the service');
      expect(problem.message).toContain('request-1');
      expect(service.received).toHaveLength(5);
    });
  });

  test('waits grow and are random: full jitter', async () => {
    const waits: number[] = [];
    const sleep = (milliseconds: number): Promise<void> => {
      waits.push(milliseconds);
      return Promise.resolve();
    };
    await withAnswers([{ status: 500 }], (service) =>
      failure(() => open(at(service), { sleep, random: () => 1 })),
    );
    expect(waits).toEqual([250, 500, 1000, 2000]);
    await withAnswers([{ status: 500 }], (service) =>
      failure(() => open(at(service), { sleep, random: () => 0.5 })),
    );
    expect(waits.slice(4)).toEqual([125, 250, 500, 1000]);
  });

  test('Retry-After is heeded', async () => {
    const waits: number[] = [];
    const sleep = (milliseconds: number): Promise<void> => {
      waits.push(milliseconds);
      return Promise.resolve();
    };
    const answers = [{ status: 429, headers: { 'retry-after': '3' } }, {}];
    await withAnswers(answers, (service) => open(at(service), { sleep }));
    expect(waits).toEqual([3000]);
  });

  test('a signature that has grown old is made anew', async () => {
    const identity = vectorIdentity();
    let now = Date.now();
    const sleep = (): Promise<void> => {
      now += 100_000;
      return Promise.resolve();
    };
    await withAnswers([{ status: 500 }, { status: 500 }, { status: 500 }, {}], async (service) => {
      await open(at(service), { sleep, now: () => new Date(now) }, undefined, identity);
      expect(service.received).toHaveLength(4);
      expect(new Set(service.received.map(({ headers }) => headers['x-amz-date'])).size).toBe(2);
    });
    expect(identity.signatures).toHaveLength(2);
  });
});

describe('what is not tried again', () => {
  test.each<[number, string, string]>([
    [400, 'ValidationException', 'Invalid request'],
    [403, 'AccessDeniedException', 'Untrusted signing certificate'],
    [403, 'AccessDeniedException', 'Insufficient certificate'],
    [403, 'AccessDeniedException', 'Unable to assume role'],
    [403, 'AccessDeniedException', 'Not authorized to set roleSessionName.'],
    [403, 'AccessDeniedException', 'Credential should be scoped to a valid region'],
    [404, 'ResourceNotFoundException', 'Trust anchor not found'],
  ])('%d %s: %s', async (status, type, words) => {
    await withAnswers([error(status, type, words)], async (service) => {
      const problem = await failure(() => open(at(service)));
      expect(problem.code).toBe('SERVICE_REFUSED');
      for (const fact of [words.replace(/\.$/u, ''), type, String(status), 'request-1']) {
        expect(problem.message).toContain(fact);
      }
      if (status !== 400) expect(problem.hint).toBeDefined();
      const details: Partial<ServiceErrorDetails> = {
        status,
        code: type,
        message: words,
        requestId: 'request-1',
      };
      expect(problem.cause).toEqual(details);
      expect(service.received).toHaveLength(1);
    });
  });

  test('a redirect is not followed', async () => {
    const redirect = { status: 307, headers: { location: 'http://evil.example/' } };
    await withAnswers([redirect], async (service) => {
      expect(await failure(() => open(at(service)))).toMatchObject({ code: 'SERVICE_FAILED' });
      expect(service.received).toHaveLength(1);
    });
  });
});

test('as often as is asked for', async () => {
  await withAnswers([{ status: 500 }], async (service) => {
    await failure(() => open(at(service), { attempts: 1 }));
    expect(service.received).toHaveLength(1);
    await failure(() => open(at(service)));
    expect(service.received).toHaveLength(6);
  });
});

describe('the clock', () => {
  const hour = 3_600_000;
  const refused = (offset: number, status = 403, type = 'AccessDeniedException'): Scripted => ({
    status,
    headers: { date: new Date(Date.now() + offset).toUTCString(), 'x-amzn-ErrorType': type },
    body: '{"message":"Invalid signature"}',
  });

  test.each([
    [hour, /60 minutes behind/u],
    [-hour, /60 minutes ahead/u],
    [72 * hour, /72 hours behind/u],
  ])('is corrected once by the Date of the refusal, %d ms off, with a warning', async (offset, words) => {
    const said: Said = { warnings: [], steps: [] };
    const body = sessionBody({ expiration: new Date(Date.now() + offset + hour).toISOString() });
    await withAnswers([refused(offset), { body }], async (service) => {
      await open(at(service), {}, said);
      const dates = service.received.map(({ headers }) => String(headers['x-amz-date']));
      const read = (date = ''): number =>
        Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/u, '$1-$2-$3T$4:$5:$6Z'));
      expect(Math.abs(read(dates[1]) - read(dates[0]) - offset)).toBeLessThan(5000);
      expect(dates).toHaveLength(2);
    });
    expect(said.warnings).toEqual([expect.stringMatching(words)]);
  });

  test('is corrected, and warned of, by the first of several calls alone, until it changes again', async () => {
    const said: Said = { warnings: [], steps: [] };
    const learned: Learned = {};
    const body = sessionBody({ expiration: new Date(Date.now() + 2 * hour).toISOString() });
    await withAnswers([refused(hour), { body }, { body }, refused(0), { body }], async (service) => {
      const skews: number[] = [];
      for (const requests of [2, 3, 5]) {
        await open(at(service), { learned }, said);
        expect(service.received).toHaveLength(requests);
        skews.push(Math.abs(Math.round((learned.skew ?? 0) / 60_000)));
      }
      expect(skews).toEqual([60, 60, 0]);
    });
    expect(said.warnings).toEqual([expect.stringMatching(/60 minutes behind/u)]);
  });

  test('is corrected only once', async () => {
    await withAnswers([refused(hour), refused(3 * hour)], async (service) => {
      expect(await failure(() => open(at(service)))).toMatchObject({ code: 'SERVICE_REFUSED' });
      expect(service.received).toHaveLength(2);
    });
  });

  test.each<[string, Scripted]>([
    ['by less than four minutes', refused(230_000)],
    ['but the request itself was at fault', refused(hour, 400, 'ValidationException')],
    ['but the resource was not found', refused(hour, 404, 'ResourceNotFoundException')],
    ['but by no date that can be read', { status: 403, headers: { date: 'yesterday' } }],
  ])('is left alone when it is off %s', async (_, answer) => {
    await withAnswers([answer], async (service) => {
      expect(await failure(() => open(at(service)))).toMatchObject({ code: 'SERVICE_REFUSED' });
      expect(service.received).toHaveLength(1);
    });
  });
});

describe('hostile answers', () => {
  const never = /canary/u;
  const check = (problem: RolesAnywhereError, code: string): void => {
    expect(problem.code).toBe(code);
    expect(JSON.stringify([problem.message, problem.hint, problem.cause])).not.toMatch(never);
    expect(problem.message.length).toBeLessThan(600);
  };

  test.each<[string, Scripted]>([
    ['nothing', { body: ' ' }],
    ['torn JSON', { body: sessionBody().slice(0, -40) }],
    ['JSON behind which something stands', { body: `${sessionBody()}x` }],
    ['null', { body: 'null' }],
    ['a list', { body: '[]' }],
    ['an HTML page with status 200', { status: 200, body: '<html>Log in to the hotel network</html>' }],
    ['no credential set', { body: '{}' }],
    ['an empty credential set', { body: '{"credentialSet":[]}' }],
    ['a credential set that is none', { body: '{"credentialSet":{"0":{}}}' }],
    ['a null in the credential set', { body: '{"credentialSet":[null]}' }],
    ['null credentials', { body: '{"credentialSet":[{"credentials":null}]}' }],
    ['no secret key', { body: sessionBody({ secretAccessKey: undefined }) }],
    ['an empty secret key', { body: sessionBody({ secretAccessKey: '' }) }],
    ['a null token', { body: sessionBody({ sessionToken: null }) }],
    ['a number as the key id', { body: sessionBody({ accessKeyId: 12 }) }],
    ['a token of two lines', { body: sessionBody({ sessionToken: 'canary\nother' }) }],
    ['a key id that moves the cursor', { body: sessionBody({ accessKeyId: '\u009b2J' }) }],
    ['a secret key in another alphabet', { body: sessionBody({ secretAccessKey: '\u202eyranac' }) }],
    ['an expiration that is no date', { body: sessionBody({ expiration: 'soon' }) }],
    ['an expiration that is a number', { body: sessionBody({ expiration: 1_900_000_000 }) }],
    ['an expiration without a time zone', { body: sessionBody({ expiration: '2099-01-01T00:00:00' }) }],
    [
      'an expiration on a day that does not exist',
      { body: sessionBody({ expiration: '2099-13-41T00:00:00Z' }) },
    ],
    ['an expiration in the past', { body: sessionBody({ expiration: '2020-01-01T00:00:00Z' }) }],
    ['2 MiB', { body: ' '.repeat(2 * 1024 * 1024) }],
  ])('%s', async (_, answer) => {
    await withAnswers([answer], async (service) => {
      check(await failure(() => open(at(service))), 'SERVICE_FAILED');
      expect(service.received).toHaveLength(1);
    });
  });

  test('100 MB are not read to their end', async () => {
    let sent = 0;
    const flood: Scripted = (socket) => {
      socket.write('HTTP/1.1 201 Created\r\n\r\n');
      const chunk = Buffer.alloc(64 * 1024, ' ');
      const more = (): void => {
        while (sent < 100_000_000 && !socket.destroyed) {
          sent += chunk.length;
          if (!socket.write(chunk)) {
            socket.once('drain', more);
            return;
          }
        }
      };
      socket.on('error', () => undefined);
      more();
    };
    await withAnswers([flood], async (service) => {
      check(await failure(() => open(at(service))), 'SERVICE_FAILED');
    });
    expect(sent).toBeLessThan(50_000_000);
  });

  test('an error of 2 MiB is not read to its end either', async () => {
    await withAnswers([{ status: 403, body: 'x'.repeat(2 * 1024 * 1024) }], async (service) => {
      check(await failure(() => open(at(service))), 'SERVICE_FAILED');
    });
  });

  test('what is not HTTP', async () => {
    await withAnswers([(socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')], async (service) => {
      check(await failure(() => open(at(service))), 'SERVICE_FAILED');
    });
  });

  test("a refusal's words are cut and cleaned of what would move the cursor", async () => {
    const words = `\u001b[2J\u202Eevil\r\nsecond line ${'x'.repeat(5000)}`;
    await withAnswers([error(403, 'AccessDeniedException', words)], async (service) => {
      const problem = await failure(() => open(at(service)));
      check(problem, 'SERVICE_REFUSED');
      // eslint-disable-next-line no-control-regex -- it is what must not be there
      expect(problem.message).not.toMatch(/[\u0000-\u001f\u202e]/u);
      expect(problem.message).toContain('second line');
    });
  });

  test('a silent server', async () => {
    await withAnswers([() => undefined], async (service) => {
      const problem = await failure(() => open(at(service), { timeoutSeconds: 0.1 }));
      check(problem, 'SERVICE_TIMEOUT');
    });
  });

  test.each([0, -1, Number.NaN])(
    'a timeout of %d seconds is refused before anything is sent',
    async (timeoutSeconds) => {
      await withAnswers([{}], async (service) => {
        check(await failure(() => open(at(service), { timeoutSeconds })), 'INVALID_ARGUMENT');
        expect(service.received).toHaveLength(0);
      });
    },
  );

  test.each([1e9, Number.POSITIVE_INFINITY])(
    'a timeout of %d seconds does not fire at once',
    async (timeoutSeconds) => {
      await withAnswers([{}], async (service) => {
        await expect(open(at(service), { timeoutSeconds })).resolves.toBeDefined();
      });
    },
  );

  test('what nobody needs to log in may be missing or wrong', async () => {
    const { credentials } = (JSON.parse(sessionBody()) as { credentialSet: { credentials: object }[] })
      .credentialSet[0] ?? { credentials: {} };
    const entry = { credentials, assumedRoleUser: null, roleArn: 7 };
    await withAnswers([{ body: JSON.stringify({ credentialSet: [entry] }) }], async (service) => {
      expect(Object.keys(await open(at(service)))).toEqual(['credentials']);
    });
  });

  test('a slow drip', async () => {
    const drip: Scripted = (socket) => {
      socket.write('HTTP/1.1 201 Created\r\n\r\n');
      const timer = setInterval(() => socket.write(' '), 5);
      socket.on('close', () => {
        clearInterval(timer);
      });
      socket.on('error', () => undefined);
    };
    await withAnswers([drip], async (service) => {
      check(await failure(() => open(at(service), { timeoutSeconds: 0.1 })), 'SERVICE_TIMEOUT');
    });
  });

  test('time runs out between two attempts: the last problem is told', async () => {
    await withAnswers([error(503, 'ServiceUnavailable', 'come back later')], async (service) => {
      const problem = await failure(() =>
        open(at(service), { sleep: pause, random: () => 1, timeoutSeconds: 1 }),
      );
      check(problem, 'SERVICE_TIMEOUT');
      expect(problem.message).toContain('come back later');
    });
  });

  test('time runs out while a later attempt waits for its answer: the last problem is told too', async () => {
    await withAnswers(
      [error(503, 'ServiceUnavailable', 'come back later'), () => undefined],
      async (service) => {
        const problem = await failure(() => open(at(service), { timeoutSeconds: 2 }));
        check(problem, 'SERVICE_TIMEOUT');
        expect(problem.message).toContain('come back later');
      },
    );
  });

  test('a port where nobody listens', async () => {
    const service = await localService([{}]);
    await service[Symbol.asyncDispose]();
    const said: Said = { warnings: [], steps: [] };
    const problem = await failure(() => open(at(service), {}, said));
    check(problem, 'SERVICE_UNREACHABLE');
    expect(problem.hint).toBeDefined();
    expect(said.steps.filter((step) => step.startsWith('POST'))).toHaveLength(5);
  });

  test('a host that does not exist is not asked for again and again', async () => {
    const said: Said = { warnings: [], steps: [] };
    const problem = await failure(() => open('http://no-such-host.invalid', {}, said));
    check(problem, 'SERVICE_UNREACHABLE');
    expect(problem.message).toContain('no-such-host.invalid');
  });
});

describe('what is said', () => {
  test('debugging tells each step, and no secret', async () => {
    const said: Said = { warnings: [], steps: [] };
    await withAnswers([{ status: 500 }, {}], async (service) => {
      await open(at(service), {}, said);
      const [{ headers } = { headers: {} }] = service.received;
      const text = said.steps.join('\n');
      expect(text).toMatch(/POST .*attempt 1[^]*status 500[^]*attempt 2[^]*status 201/u);
      const signature =
        String((headers as Record<string, unknown>)['authorization']).split('Signature=')[1] ?? 'none';
      for (const secret of ['canary-secret', 'canary-token', signature]) expect(text).not.toContain(secret);
    });
    expect(said.warnings).toEqual([]);
  });
});
