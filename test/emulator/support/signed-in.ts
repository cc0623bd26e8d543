import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { RawAnswer } from './exchange.ts';
import { hmacRequest, readSessionKeys } from './hmac-signer.ts';
import type { HmacSteps, SessionKeys } from './hmac-signer.ts';
import { issue, issueAuthority, noon } from './pki.ts';
import type { Issued } from './pki.ts';
import { TestService } from './service.ts';
import type { RawRequest } from './x509-signer.ts';

/** What to ask with, and whom, in place of the usual. */
export interface Other {
  readonly keys?: Partial<SessionKeys>;
  readonly service?: TestService;
}

/** An emulator for all tests of a file, at {@link noon} at the beginning of each, which begins with a session of its own. */
export interface SignedIn {
  readonly authority: Issued;
  readonly leaf: Issued;
  readonly service: TestService;
  readonly keys: SessionKeys;
  newSession(service?: TestService): Promise<SessionKeys>;
  /** A request to a service, by the name that its signatures have, signed with the session's keys. */
  request(name: string, steps: HmacSteps, other?: Other): RawRequest;
  ask(name: string, steps: HmacSteps, other?: Other): Promise<RawAnswer>;
}

/** Call it once, outside of every test. */
export function signedIn(): SignedIn {
  const authority = issueAuthority('Root');
  const leaf = issue({ by: authority });
  let service: TestService;
  let keys: SessionKeys;
  const newSession = async (at = service): Promise<SessionKeys> =>
    readSessionKeys(await at.createSession({ leaf }));
  beforeAll(async () => {
    service = await TestService.start([authority]);
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    service.time = noon;
    keys = await newSession();
  });
  const request = (name: string, steps: HmacSteps, other: Other = {}): RawRequest =>
    hmacRequest({ ...keys, ...other.keys }, { host: (other.service ?? service).host, service: name }, steps);
  return {
    authority,
    leaf,
    get service() {
      return service;
    },
    get keys() {
      return keys;
    },
    newSession,
    request,
    ask: (name, steps, other = {}) => (other.service ?? service).send(request(name, steps, other)),
  };
}
