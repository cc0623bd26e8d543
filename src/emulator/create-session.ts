import type { Account, Profile, Role, TrustAnchor } from './account.ts';
import { subjectArn } from './account.ts';
import type { EmulatorCertificate } from './certificate.ts';
import { checkLeaf, checkPath } from './certificate-path.ts';
import type { HttpRequest } from './http-request.ts';
import { parsePairs, utf8 } from './http-request.ts';
import { accessDenied, ServiceError, validationError } from './service-error.ts';
import type { Sessions } from './sessions.ts';
import { serialHex, sessionTags, sourceIdentity, subjectId } from './subject.ts';
import { verifyX509Signature } from './x509-signature.ts';
import type { X509 } from './x509.ts';

export interface RolesAnywhere {
  readonly x509: X509;
  readonly account: Account;
  readonly sessions: Sessions;
  /** Most seconds that a session lasts, below what profile and request allow. */
  readonly sessionTtlSeconds: number | undefined;
}

export interface CreatedSession {
  readonly status: 201;
  readonly body: object;
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
  checkPath(leaf, chain, trustAnchor.certificates, now);
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
  const expiration = session.expiration.toISOString().replace('.000', '');
  return {
    status: 201,
    body: {
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
    details: { ...describe(leaf), assumedRoleArn: session.assumedRoleArn, expiration, tags: session.tags },
  };
}

function describe(leaf: EmulatorCertificate): Readonly<Record<string, unknown>> {
  return {
    subject: leaf.subject.text,
    serialNumber: serialHex(leaf),
    sourceIdentity: sourceIdentity(leaf),
  };
}

/** Per cent of what STS allows for policies and tags, which are packed; how, AWS does not say. */
function packedPolicySize(tags: Readonly<Record<string, string>>): number {
  const size = Object.entries(tags).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return Math.min(100, Math.ceil((size / 2048) * 100));
}

interface Input {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly durationSeconds: number | undefined;
  readonly roleSessionName: string | undefined;
}

function readInput(request: HttpRequest): Input {
  const query = new Map(parsePairs(request.query).map(([name, value]) => [name, utf8(value)]));
  const body = readBody(request.body);
  const arn = (name: string, pattern: RegExp): string => {
    const value = body[name] ?? query.get(name);
    if (value === undefined || value === '') {
      throw validationError(
        `1 validation error detected: Value null at '${name}' failed to satisfy constraint: Member must not be null`,
      );
    }
    if (typeof value !== 'string' || !pattern.test(value)) {
      throw validationError(
        `1 validation error detected: Value at '${name}' failed to satisfy constraint: Member must satisfy regular expression pattern: ${pattern.source}`,
      );
    }
    return value;
  };
  checkInstanceProperties(body['instanceProperties']);
  return {
    trustAnchorArn: arn(
      'trustAnchorArn',
      /^arn:aws(-[^/]+)?:rolesanywhere:[^:]+:\d{12}:trust-anchor\/[^:/]+$/,
    ),
    profileArn: arn('profileArn', /^arn:aws(-[^/]+)?:rolesanywhere:[^:]+:\d{12}:profile\/[^:/]+$/),
    roleArn: arn('roleArn', /^arn:aws(-[^/]+)?:iam::\d{12}:role\/.+$/),
    durationSeconds: readDuration(body['durationSeconds']),
    roleSessionName: readSessionName(body['roleSessionName']),
  };
}

function readBody(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) {
    return {};
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new ServiceError('ValidationException', 'Unable to parse the request body', 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ServiceError(
      'ValidationException',
      'Unable to parse the request body',
      'the body is not a JSON object',
    );
  }
  return value as Record<string, unknown>;
}

function readDuration(value: unknown): number | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 900 || value > 43_200) {
    throw validationError(
      "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must be an integer between 900 and 43200",
    );
  }
  return value;
}

function readSessionName(value: unknown): string | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  // STS API reference, AssumeRole, RoleSessionName.
  if (typeof value !== 'string' || !/^[\w+=,.@-]{2,64}$/.test(value)) {
    throw validationError(
      "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}",
    );
  }
  return value;
}

function checkInstanceProperties(value: unknown): void {
  if (value === undefined || value === null) {
    return;
  }
  const entries = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : undefined;
  // InstanceProperties in the API reference: a map from 1–200 to 1–200 characters, 50 entries at most.
  const good =
    entries !== undefined &&
    entries.length <= 50 &&
    entries.every(
      ([name, text]) =>
        name.length >= 1 &&
        name.length <= 200 &&
        typeof text === 'string' &&
        text.length >= 1 &&
        text.length <= 200,
    );
  if (!good) {
    throw validationError(
      "1 validation error detected: Value at 'instanceProperties' failed to satisfy constraint: Map of at most 50 strings of 1 to 200 characters",
    );
  }
}

function lookUp(
  { trustAnchors, profiles, roles }: Account,
  input: Input,
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
