import type { Credentials } from '../aws/credentials.ts';

/**
 * The JSON document that the AWS CLI and the SDKs expect from a `credential_process`
 * (AWS SDKs and Tools Reference Guide, "Process credential provider"), in one line, without the line end.
 *
 * The expiration is written in whole seconds: that is what the service itself sends, and not every reader of
 * ISO 8601 takes a fraction. It is cut, not rounded: a session must not look longer than it is.
 */
export function formatProcessCredentials(credentials: Credentials): string {
  return JSON.stringify({
    Version: 1,
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    SessionToken: credentials.sessionToken,
    Expiration: `${credentials.expiration.toISOString().slice(0, 19)}Z`,
  });
}
