import type { Credentials } from '../aws/credentials.ts';
import { wholeSeconds } from './whole-seconds.ts';

/**
 * The JSON document that the AWS CLI and the SDKs expect from a `credential_process`
 * (AWS SDKs and Tools Reference Guide, "Process credential provider"), in one line, without the line end.
 */
export function formatProcessCredentials(credentials: Credentials): string {
  return JSON.stringify({
    Version: 1,
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    SessionToken: credentials.sessionToken,
    Expiration: wholeSeconds(credentials.expiration),
  });
}

/** The credentials of a document that `formatProcessCredentials` made. */
export function parseProcessCredentials(document: string): Credentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = JSON.parse(document) as Record<
    'AccessKeyId' | 'SecretAccessKey' | 'SessionToken' | 'Expiration',
    string
  >;
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: new Date(Expiration),
  };
}
