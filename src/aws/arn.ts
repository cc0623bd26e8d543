import { RolesAnywhereError } from '../errors.ts';
import { partitions } from './partitions.ts';

/** An Amazon Resource Name, `arn:partition:service:region:account:type/id` (AWS General Reference, "ARNs"). */
export interface Arn {
  readonly text: string;
  readonly partition: string;
  readonly service: string;
  /** Empty for IAM's resources: IAM knows no regions. */
  readonly region: string;
  readonly account: string;
  readonly type: string;
  /** What stands behind the first slash: for a role its path and name. */
  readonly id: string;
}

/** The ARNs that a session needs, by the options that give them. */
const expected = {
  '--trust-anchor-arn': { what: "a trust anchor's ARN", service: 'rolesanywhere', type: 'trust-anchor' },
  '--profile-arn': { what: "a profile's ARN", service: 'rolesanywhere', type: 'profile' },
  '--role-arn': { what: "a role's ARN", service: 'iam', type: 'role' },
} as const;

export type ArnOption = keyof typeof expected;

/** What people have pasted in a wrong place, in their words. */
const known: Readonly<Record<string, string>> = {
  'rolesanywhere/trust-anchor': "a trust anchor's ARN",
  'rolesanywhere/profile': "a profile's ARN",
  'rolesanywhere/crl': "a revocation list's ARN",
  'rolesanywhere/subject': "a subject's ARN",
  'iam/role': "a role's ARN",
  'iam/user': "a user's ARN",
  'iam/group': "a group's ARN",
  'iam/policy': "a policy's ARN",
  'iam/instance-profile': "an instance profile's ARN",
  'sts/assumed-role': "an assumed role's ARN",
  'acm-pca/certificate-authority': "a private certificate authority's ARN",
};

/** IAM User Guide, "IAM identifiers": a path of printable ASCII, then a name of at most 64 characters. */
const roleId = /^(?:[!-~]+\/)?[\w+=,.@-]{1,64}$/u;
const rolesAnywhereId = /^[\w-]+$/u;

/**
 * Reads the ARN that an option gives and checks that it is one of the kind the option wants.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function parseArn(option: ArnOption, text: string): Arn {
  const want = expected[option];
  const fail = (problem: string, hint = `${option} takes ${want.what}, ${example(option)}`): never => {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `${option} ${problem}`, { hint });
  };
  if (text === '') return fail('is empty');
  if (/[^!-~]/u.test(text)) return fail('holds white space or other characters that no ARN has');
  const [prefix, partition = '', service = '', region = '', account = '', ...rest] = text.split(':');
  const resource = rest.join(':');
  if (prefix !== 'arn') return fail(`is not an ARN: ${text}`);
  if (rest.length === 0) return fail(`is not a whole ARN: ${text}`);
  const slash = resource.indexOf('/');
  const type = slash < 0 ? resource : resource.slice(0, slash);
  const id = slash < 0 ? '' : resource.slice(slash + 1);
  if (service !== want.service || type !== want.type) {
    return fail(`holds ${known[`${service}/${type}`] ?? `an ARN of another kind`}: ${text}`);
  }
  if (!Object.hasOwn(partitions, partition)) return fail(`names an unknown partition, ${partition}: ${text}`);
  if (!/^\d{12}$/u.test(account)) return fail(`has no account number of 12 digits: ${text}`);
  if (want.service === 'iam') {
    if (region !== '') return fail(`names a region, which a role's ARN does not: ${text}`);
    if (!roleId.test(id)) return fail(`names no role: ${text}`);
  } else {
    if (!partitions[partition]?.regions.test(region)) {
      return fail(`names no region of the partition ${partition}: ${text}`);
    }
    if (!rolesAnywhereId.test(id)) return fail(`ends without the resource's identifier: ${text}`);
  }
  return { text, partition, service, region, account, type, id };
}

/**
 * Checks that the three belong together. A profile lists roles of its own account only (CreateProfile passes
 * them on with iam:PassRole, which does not reach into other accounts), and the service looks for the trust anchor
 * and the profile of one account in one region.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function checkArnsAgree(trustAnchor: Arn, profile: Arn, role: Arn): void {
  if (trustAnchor.region !== profile.region) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      `trust anchor and profile are in different regions: ${trustAnchor.region} and ${profile.region}`,
      { hint: 'both must be made in the same region' },
    );
  }
  const all = { 'trust anchor': trustAnchor, profile, role };
  for (const part of ['partition', 'account'] as const) {
    const values = Object.entries(all).map(([name, arn]) => `${name} ${arn[part]}`);
    if (new Set(Object.values(all).map((arn) => arn[part])).size > 1) {
      throw new RolesAnywhereError(
        'INVALID_ARGUMENT',
        `the ARNs are of different ${part}s: ${values.join(', ')}`,
        { hint: `trust anchor, profile and role must be of one ${part}` },
      );
    }
  }
}

function example(option: ArnOption): string {
  const { service, type } = expected[option];
  const region = service === 'iam' ? '' : 'REGION';
  return `arn:aws:${service}:${region}:ACCOUNT:${type}/${service === 'iam' ? 'NAME' : 'ID'}`;
}
