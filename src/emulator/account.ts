import type { EmulatorCertificate } from './certificate.ts';
import type { RevocationList } from './revocation.ts';

export const region = 'us-east-1';
export const accountId = '123456789012';

export interface TrustAnchor {
  readonly arn: string;
  readonly enabled: boolean;
  readonly certificates: readonly EmulatorCertificate[];
  readonly revocationLists: readonly RevocationList[];
}

export interface Profile {
  readonly arn: string;
  readonly enabled: boolean;
  readonly roleArns: readonly string[];
  readonly durationSeconds: number;
  readonly acceptRoleSessionName: boolean;
}

export interface Role {
  readonly arn: string;
  readonly name: string;
  /** What IAM calls the role's unique ID; the assumed role's user ID starts with it. */
  readonly id: string;
}

/** What an administrator would have set up; everything has the same ARN in every run. */
export interface Account {
  readonly trustAnchors: readonly TrustAnchor[];
  readonly profiles: readonly Profile[];
  readonly roles: readonly Role[];
}

const rolesAnywhere = `arn:aws:rolesanywhere:${region}:${accountId}`;

export const trustAnchorArn = `${rolesAnywhere}:trust-anchor/00000000-0000-4000-8000-000000000001`;
export const profileArn = `${rolesAnywhere}:profile/00000000-0000-4000-8000-000000000002`;
export const roleArn = `arn:aws:iam::${accountId}:role/emulator`;

/**
 * One trust anchor, profile and role that work, and beside them those that show the service's refusals: a disabled
 * trust anchor (…0011) and profile (…0012), a profile that takes no role session name (…0022), and the role
 * `outside` that is in no profile.
 */
export function makeAccount(
  certificates: readonly EmulatorCertificate[],
  revocationLists: readonly RevocationList[],
): Account {
  const profile: Profile = {
    arn: profileArn,
    enabled: true,
    roleArns: [roleArn],
    durationSeconds: 3600,
    acceptRoleSessionName: true,
  };
  return {
    trustAnchors: [
      { arn: trustAnchorArn, enabled: true, certificates, revocationLists },
      { arn: trustAnchorArn.replace(/01$/, '11'), enabled: false, certificates, revocationLists },
    ],
    profiles: [
      profile,
      { ...profile, arn: profileArn.replace(/02$/, '12'), enabled: false },
      { ...profile, arn: profileArn.replace(/02$/, '22'), acceptRoleSessionName: false },
    ],
    roles: [
      { arn: roleArn, name: 'emulator', id: 'AROAEMULATOR234567ABC' },
      { arn: `arn:aws:iam::${accountId}:role/outside`, name: 'outside', id: 'AROAEMULATOR234567ABD' },
    ],
  };
}

export function subjectArn(id: string): string {
  return `${rolesAnywhere}:subject/${id}`;
}
