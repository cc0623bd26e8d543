import type { OpenedSession } from '../credentials/session-source.ts';
import { wholeSeconds } from '../credentials/whole-seconds.ts';
import type { Content } from './resource.ts';
import { jsonContent, textContent } from './resource.ts';

/** What the endpoints hand out of one session, ready to send. */
export interface Documents {
  /** IMDS's answer for its role (Amazon EC2 User Guide, "Retrieve security credentials from instance metadata"). */
  readonly imds: Content;
  /** The container endpoint's answer (AWS SDKs and Tools Reference Guide, "Container credential provider"). */
  readonly container: Content;
}

/** @param roleArn the role that was asked for, in case the answer named none */
export function documentsOf({ session, credentials, opened }: OpenedSession, roleArn: string): Documents {
  const secrets = {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: wholeSeconds(credentials.expiration),
  };
  const imds = { Code: 'Success', LastUpdated: wholeSeconds(opened), Type: 'AWS-HMAC', ...secrets };
  return {
    imds: textContent(JSON.stringify(imds)),
    container: jsonContent({ RoleArn: session.roleArn ?? roleArn, ...secrets }),
  };
}
