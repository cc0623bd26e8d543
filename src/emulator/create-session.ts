import type { Account, Profile, Role, TrustAnchor } from './account.ts';
import { subjectArn } from './account.ts';
import { checkLeaf, checkPath } from './certificate-path.ts';
import type { SessionInput } from './create-session-input.ts';
import { readInput } from './create-session-input.ts';
import type { HttpRequest } from './http-request.ts';
import { accessDenied, ServiceError } from './service-error.ts';
import type { Sessions } from './sessions.ts';
import { serialHex, sessionTags, sourceIdentity, subjectId } from './subject.ts';
import { isoSeconds } from './time.ts';
import { verifyX509Signature } from './x509-signature.ts';
import type { X509 } from './x509.ts';

export interface RolesAnywhere {
  readonly x509: X509;
  readonly account: Account;
  readonly sessions: Sessions;
  /** Most seconds that a session lasts, below what profile and request allow. */
  readonly sessionTtlSeconds: number | undefined;
}

interface CreatedSession {
  readonly answer: object;
  /** For the request log. */
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * CreateSession (Roles Anywhere user guide, "CreateSession API").
 *
 * @throws ServiceError
 */
export function createSession(service: RolesAnywhere, request: HttpRequest, now: Date): CreatedSession {
  const { leaf, chain } = verifyX509Signature(service.x509, request, now);
  const input = readInput(request);
  const { trustAnchor, profile, role } = lookUp(service.account, input);
  checkLeaf(leaf);
  checkPath(leaf, chain, trustAnchor.certificates, trustAnchor.revocationLists, now);
  if (input.roleSessionName !== undefined && !profile.acceptRoleSessionName) {
    throw accessDenied('Not authorized to set roleSessionName.');
  }
  const seconds = Math.min(
    input.durationSeconds ?? 3600,
    profile.durationSeconds,
    service.sessionTtlSeconds ?? Number.POSITIVE_INFINITY,
  );
  const session = service.sessions.issue(
    {
      role,
      sessionName: input.roleSessionName ?? serialHex(leaf),
      sourceIdentity: sourceIdentity(leaf),
      tags: sessionTags(leaf),
      expiration: new Date(Math.floor(now.getTime() / 1000 + seconds) * 1000),
    },
    now,
  );
  const expiration = isoSeconds(session.expiration);
  return {
    answer: {
      credentialSet: [
        {
          assumedRoleUser: { arn: session.assumedRoleArn, assumedRoleId: session.assumedRoleId },
          credentials: {
            accessKeyId: session.accessKeyId,
            expiration,
            secretAccessKey: session.secretAccessKey.expose(),
            sessionToken: session.sessionToken.expose(),
          },
          packedPolicySize: packedPolicySize(session.tags),
          roleArn: role.arn,
          sourceIdentity: session.sourceIdentity,
        },
      ],
      subjectArn: subjectArn(subjectId(leaf)),
    },
    details: {
      subject: leaf.subject.text,
      serialNumber: serialHex(leaf),
      sourceIdentity: session.sourceIdentity,
      assumedRoleArn: session.assumedRoleArn,
      expiration,
      tags: session.tags,
    },
  };
}

/** Per cent of what STS allows for policies and tags, which are packed; how, AWS does not say. */
function packedPolicySize(tags: Readonly<Record<string, string>>): number {
  const size = Object.entries(tags).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return Math.min(100, Math.ceil((size / 2048) * 100));
}

function lookUp(
  { trustAnchors, profiles, roles }: Account,
  input: SessionInput,
): { trustAnchor: TrustAnchor; profile: Profile; role: Role } {
  const trustAnchor = trustAnchors.find(({ arn }) => arn === input.trustAnchorArn);
  if (trustAnchor === undefined) {
    throw new ServiceError(
      'ResourceNotFoundException',
      'Trust anchor not found.',
      `no trust anchor ${input.trustAnchorArn}`,
    );
  }
  const profile = profiles.find(({ arn }) => arn === input.profileArn);
  if (profile === undefined) {
    throw new ServiceError(
      'ResourceNotFoundException',
      'Profile not found.',
      `no profile ${input.profileArn}`,
    );
  }
  if (!trustAnchor.enabled) {
    throw accessDenied('Trust anchor is disabled.');
  }
  if (!profile.enabled) {
    throw accessDenied('Profile is disabled.');
  }
  const role = roles.find(({ arn }) => arn === input.roleArn);
  if (role === undefined || !profile.roleArns.includes(role.arn)) {
    throw accessDenied('Unable to assume role', `the profile does not hold the role ${input.roleArn}`);
  }
  return { trustAnchor, profile, role };
}
