import { afterEach, describe, expect, it } from 'vitest';
import { Refresher } from '../../src/credentials/refresher.ts';
import type { OpenedSession, SessionSource } from '../../src/credentials/session-source.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { expectCode } from '../support/errors.ts';

const minute = 60_000;

interface Service extends SessionSource {
  /** When each attempt began, in elapsed milliseconds. */
  readonly attempts: number[];
  failure: RolesAnywhereError | undefined;
}

function makeService(clock: FakeClock, lifeSeconds = 3600): Service {
  const service: Service = {
    files: [],
    attempts: [],
    failure: undefined,
    async open() {
      service.attempts.push(clock.elapsed());
      await Promise.resolve();
      if (service.failure !== undefined) throw service.failure;
      const credentials = {
        accessKeyId: `ASIA${service.attempts.length}`,
        secretAccessKey: 'secret',
        sessionToken: 'token',
        expiration: new Date(clock.now().getTime() + lifeSeconds * 1000),
      };
      return { session: { credentials }, credentials, opened: clock.now() };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return service;
}

const down = (): RolesAnywhereError => new RolesAnywhereError('SERVICE_UNREACHABLE', 'nothing listens');

let open: Refresher | undefined;
afterEach(() => open?.[Symbol.asyncDispose]());

function make(random = 0): { clock: FakeClock; service: Service; refresher: Refresher } {
  const clock = new FakeClock();
  const service = makeService(clock);
  const refresher = (open = new Refresher({ source: service, clock, random: () => random }));
  return { clock, service, refresher };
}
const keyOf = ({ credentials }: OpenedSession): string => credentials.accessKeyId;

describe('a service that is well', () => {
  it('is asked once, whoever asks', async () => {
    const { service, refresher } = make();
    const all = await Promise.all(Array.from({ length: 20 }, () => refresher.get()));
    expect(new Set(all.map(keyOf))).toEqual(new Set(['ASIA1']));
    expect(service.attempts).toHaveLength(1);
  });

  it('is asked ahead of the end, in the background', async () => {
    const { clock, service, refresher } = make();
    await refresher.start();
    await clock.advance(45 * minute - 1);
    expect(service.attempts).toHaveLength(1);
    await clock.advance(2);
    expect(service.attempts).toHaveLength(2);
    expect(keyOf(await refresher.get())).toBe('ASIA2');
  });
});

describe('a service that is down', () => {
  it('fails the start', async () => {
    const { service, refresher } = make();
    service.failure = down();
    await expectCode(() => refresher.start(), 'SERVICE_UNREACHABLE');
  });

  it('costs nobody the credentials that are still valid', async () => {
    const { clock, service, refresher } = make(1);
    await refresher.start();
    service.failure = down();
    await clock.advance(59 * minute);
    expect(keyOf(await refresher.get())).toBe('ASIA1');
    expect(refresher.state.failure?.attempts).toBeGreaterThan(10);
    await clock.advance(2 * minute);
    await expectCode(() => refresher.get(), 'SERVICE_UNREACHABLE');
    service.failure = undefined;
    await clock.advance(20_000);
    await refresher.get();
    expect(refresher.state.failure).toBeUndefined();
  });
});
