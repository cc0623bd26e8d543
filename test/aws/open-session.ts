import {
  type ConnectionOptions,
  createSession,
  prepareSession,
  type Session,
} from '../../src/aws/create-session.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { quick, vectorIdentity } from './local-service.ts';

/** Everything that may be printed somewhere. */
export interface Said {
  readonly warnings: string[];
  readonly steps: string[];
}

/** Opens a session at an endpoint of the tests, and collects what is told meanwhile. */
export function open(
  endpoint: string,
  connection: ConnectionOptions = {},
  said: Said = { warnings: [], steps: [] },
  identity: Identity = vectorIdentity(),
): Promise<Session> {
  const session = prepareSession({
    trustAnchorArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/t',
    profileArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/p',
    roleArn: 'arn:aws:iam::123456789012:role/R',
    endpoint,
  });
  const reporter = {
    warn: (message: string) => void said.warnings.push(message),
    debug: (message: string) => void said.steps.push(message),
  };
  return createSession(identity, session, { ...quick, reporter, ...connection });
}
