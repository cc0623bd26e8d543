import { parseArn } from '../aws/arn.ts';
import { formatName } from '../certificate/name.ts';
import { RolesAnywhereError } from '../errors.ts';
import { listCertificates } from '../identity/certificates.ts';
import { permissionPolicy, trustPolicy } from '../redshift/policy.ts';
import type { Reporter } from '../reporter.ts';
import { identityOptions } from './identity-options.ts';
import type { Values } from './options.ts';
import { databaseRequest } from './redshift.ts';

/**
 * The permission policy and the trust policy that a command line needs.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, and what reading the certificate throws
 */
export async function policyText(values: Values<'redshift policy'>, reporter: Reporter): Promise<string> {
  const request = databaseRequest(values);
  const role = parseArn('--role-arn', required(values, 'role-arn'));
  const trustAnchor = parseArn('--trust-anchor-arn', required(values, 'trust-anchor-arn'));
  const commonName = values.certificate === undefined ? undefined : await onlyName(values, reporter);
  if (commonName === undefined) {
    reporter.warn(
      'the trust policy lets every certificate of the trust anchor be the role',
      'give --certificate with a subject that has a CN, and it lets only those with that name',
    );
  }
  if (request.workgroup !== undefined) {
    reporter.warn(
      'the policy names every workgroup of the region: its ARN ends in an identifier, not in its name',
      'write the ARN that aws redshift-serverless get-workgroup shows',
    );
  }
  const policies = {
    policy: permissionPolicy(request, role.account),
    trustPolicy: trustPolicy(trustAnchor, commonName),
  };
  return `${JSON.stringify(policies, null, 2)}\n`;
}

function required(values: Values<'redshift policy'>, name: 'role-arn' | 'trust-anchor-arn'): string {
  const value = values[name];
  if (value !== undefined) return value;
  throw new RolesAnywhereError('INVALID_ARGUMENT', `missing --${name}`, {
    hint: 'the policies are those of a role for the certificates of a trust anchor',
  });
}

/** The one common name of the one certificate that is no authority's. */
async function onlyName(values: Values<'redshift policy'>, reporter: Reporter): Promise<string | undefined> {
  const certificates = await listCertificates(identityOptions(values, reporter));
  const leaves = certificates.filter(({ isAuthority }) => isAuthority !== true);
  const [leaf] = leaves;
  if (leaf === undefined || leaves.length > 1) return undefined;
  // Value by value (RFC 4514, section 3): what looks like another attribute may stand in one, escaped.
  const attributes = formatName(leaf.subject).matchAll(/([^=,+]+)=((?:\\.|[^,+\\])*)/gu);
  const names = [...attributes].filter(([, type]) => type === 'CN').map(([, , value = '']) => value);
  const [name] = names;
  return names.length === 1 ? name?.replace(/\\(.)/gu, '$1') : undefined;
}
