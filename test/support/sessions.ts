import type { OpenedSession } from '../../src/credentials/session-source.ts';

/** A session as the engine hands it on, with secrets that can be searched for. */
export function openedSession(options: {
  readonly opened: Date;
  readonly lifeSeconds: number;
  readonly name?: string;
  readonly roleArn?: string;
}): OpenedSession {
  const { opened, lifeSeconds, name = '1', roleArn } = options;
  const credentials = {
    accessKeyId: `ASIA-${name}`,
    secretAccessKey: `secret-key-${name}`,
    sessionToken: `session-token-${name}`,
    expiration: new Date(opened.getTime() + lifeSeconds * 1000),
  };
  return {
    session: { credentials, ...(roleArn !== undefined && { roleArn }) },
    credentials,
    opened,
  };
}
