import type { OpenedSession } from '../credentials/session-source.ts';
import { wholeSeconds } from '../credentials/whole-seconds.ts';

/** What the endpoints hand out of one session, ready to send. */
export interface Documents {
  /** The name that IMDS knows the role by: without its path. */
  readonly role: string;
  /** IMDS's answer for that role (Amazon EC2 User Guide, "Retrieve security credentials from instance metadata"). */
  readonly imds: string;
  /** The container endpoint's answer (AWS SDKs and Tools Reference Guide, "Container credential provider"). */
  readonly container: string;
}

/** @param roleArn the role that was asked for, in case the answer named none */
export function documentsOf({ session, credentials, opened }: OpenedSession, roleArn: string): Documents {
  const secrets = {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: wholeSeconds(credentials.expiration),
  };
  return {
    role: roleArn.slice(roleArn.lastIndexOf('/') + 1),
    imds: JSON.stringify({
      Code: 'Success',
      LastUpdated: wholeSeconds(opened),
      Type: 'AWS-HMAC',
      ...secrets,
    }),
    container: JSON.stringify({ RoleArn: session.roleArn ?? roleArn, ...secrets }),
  };
}
