import { RolesAnywhereError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import { silent } from '../reporter.ts';
import { version } from '../runtime/version.ts';
import { signWithCertificate } from '../sigv4/x509.ts';
import { type Arn, checkArnsAgree, parseArn } from './arn.ts';
import { checkRegion, operationUrl, resolveEndpoint } from './endpoint.ts';
import { call, type ConnectionOptions } from './http.ts';
import { readSession, type Session } from './session-answer.ts';
import { hintForSession } from './session-hints.ts';

export type { ConnectionOptions } from './http.ts';
export type { Session } from './session-answer.ts';

/** What to ask the service for: the command line's options by their library names. */
export interface SessionRequest {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  /** The trust anchor's region by default. */
  readonly region?: string;
  /** An http or https URL, whose path is kept in front of the operation's. */
  readonly endpoint?: string;
  /** 900 to 43200; the profile's duration by default, and never more than it. */
  readonly durationSeconds?: number;
  /** 2 to 64 of `A-Za-z0-9_+=,.@-`; the profile must accept it. */
  readonly roleSessionName?: string;
  /** At most 50, names and values of 1 to 200 characters. */
  readonly instanceProperties?: Readonly<Record<string, string>>;
}

/** A request that has been checked as far as that goes without a key and without the network. */
export interface PreparedSession {
  readonly url: URL;
  readonly region: string;
  readonly trustAnchor: Arn;
  readonly profile: Arn;
  readonly role: Arn;
  /** The JSON to send. */
  readonly body: string;
}

/**
 * Checks a request and works out where it goes.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function prepareSession(request: SessionRequest): PreparedSession {
  const trustAnchor = parseArn('--trust-anchor-arn', request.trustAnchorArn);
  const profile = parseArn('--profile-arn', request.profileArn);
  const role = parseArn('--role-arn', request.roleArn);
  checkArnsAgree(trustAnchor, profile, role);
  const region = request.region ?? trustAnchor.region;
  checkPartition(region, trustAnchor);
  const { durationSeconds, roleSessionName, instanceProperties } = request;
  if (durationSeconds !== undefined) checkDuration(durationSeconds);
  if (roleSessionName !== undefined) checkRoleSessionName(roleSessionName);
  if (instanceProperties !== undefined) checkInstanceProperties(instanceProperties);
  const endpoint = resolveEndpoint({ service: 'rolesanywhere', region, endpoint: request.endpoint });
  return {
    url: operationUrl(endpoint, '/sessions'),
    region,
    trustAnchor,
    profile,
    role,
    // The service takes the ARNs in the query too, as the old helper sends them. In the body nothing on the way can
    // encode them differently from what was signed, and no access log keeps them.
    body: JSON.stringify({
      trustAnchorArn: trustAnchor.text,
      profileArn: profile.text,
      roleArn: role.text,
      durationSeconds,
      roleSessionName,
      instanceProperties,
    }),
  };
}

/**
 * Opens a session: one signed CreateSession request (IAM Roles Anywhere User Guide, "CreateSession API").
 *
 * @throws RolesAnywhereError SERVICE_REFUSED, SERVICE_UNREACHABLE, SERVICE_FAILED, SERVICE_TIMEOUT, TLS_UNTRUSTED,
 *   PROXY_FAILED, FILE_UNREADABLE, INVALID_ARGUMENT, SIGNING_FAILED
 */
export async function createSession(
  identity: Identity,
  session: PreparedSession,
  connection: ConnectionOptions = {},
): Promise<Session> {
  const { url, region, body, trustAnchor } = session;
  if (region !== trustAnchor.region) {
    (connection.reporter ?? silent).warn(
      `the region ${region} is not the trust anchor's, ${trustAnchor.region}`,
      'leave --region out: the trust anchor ARN names the right one',
    );
  }
  const reply = await call(
    {
      service: 'IAM Roles Anywhere',
      url,
      hintFor: hintForSession,
      sign: async (now) => {
        const headers: [string, string][] = [
          ['host', url.host],
          ['content-type', 'application/json'],
        ];
        const signable = { method: 'POST', path: url.pathname, query: '', headers, body };
        const added = await signWithCertificate(signable, identity, {
          region,
          service: 'rolesanywhere',
          now,
        });
        return {
          method: 'POST',
          url,
          headers: {
            ...Object.fromEntries([...headers, ...added]),
            // Unsigned: proxies may write their own.
            'content-length': String(Buffer.byteLength(body)),
            'user-agent': `rolesanywhere/${version}`,
          },
          body,
        };
      },
    },
    connection,
  );
  return readSession(reply);
}

/** Another region of the partition is the service's to refuse; another partition has other hosts and accounts. */
function checkPartition(region: string, trustAnchor: Arn): void {
  const partition = checkRegion(region);
  if (partition === trustAnchor.partition) return;
  throw new RolesAnywhereError(
    'INVALID_ARGUMENT',
    `the region ${region} is of the partition ${partition}, the trust anchor of ${trustAnchor.partition}`,
    { hint: 'leave --region out: the trust anchor ARN names the right one' },
  );
}

function checkDuration(seconds: number): void {
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43200) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      `the session duration must be 900 to 43200 whole seconds, not ${seconds}`,
      {
        hint: '900 is a quarter of an hour, 43200 are twelve hours',
      },
    );
  }
}

function checkRoleSessionName(name: string): void {
  if (!/^[\w+=,.@-]{2,64}$/u.test(name)) {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `not a role session name: ${JSON.stringify(name)}`, {
      hint: 'it has 2 to 64 of the characters A-Z a-z 0-9 _ + = , . @ -',
    });
  }
}

function checkInstanceProperties(properties: Readonly<Record<string, string>>): void {
  const entries = Object.entries(properties);
  if (entries.length > 50) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      `at most 50 instance properties can be sent, not ${entries.length}`,
    );
  }
  for (const [name, value] of entries) {
    for (const part of [name, value]) {
      if (part.length < 1 || part.length > 200) {
        throw new RolesAnywhereError(
          'INVALID_ARGUMENT',
          `the instance property ${JSON.stringify(name.slice(0, 200))} must have a name and a value of 1 to 200 characters`,
        );
      }
    }
  }
}
