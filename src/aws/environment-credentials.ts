import { RolesAnywhereError } from '../errors.ts';
import { env } from '../runtime/env.ts';
import type { HmacCredentials } from '../sigv4/hmac.ts';

/**
 * The AWS credentials that the environment holds (AWS SDKs and Tools Reference Guide, "AWS access keys").
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT when there are none
 */
export function environmentCredentials(): HmacCredentials {
  const [accessKeyId, secretAccessKey] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'].map(env);
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      'there are neither a certificate nor AWS credentials in the environment',
      {
        hint: 'give --certificate, --trust-anchor-arn, --profile-arn and --role-arn, or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN',
      },
    );
  }
  const sessionToken = env('AWS_SESSION_TOKEN');
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
