import type { ServiceErrorDetails } from '../aws/service-error.ts';

const notFound =
  'check --cluster, --workgroup or --custom-domain, --region, and that the role is of the account that it is in';
const unknownKeys = 'the AWS credentials are not, or no longer, known there: check where they come from';

const hints: Readonly<Record<string, string>> = {
  AccessDenied: 'rolesanywhere redshift policy, with the same options, prints the policy that the role needs',
  AccessDeniedException:
    'rolesanywhere redshift policy, with the same options, prints the policy that the role needs',
  ClusterNotFound: notFound,
  ClusterNotFoundFault: notFound,
  ResourceNotFoundException: notFound,
  InvalidClientTokenId: unknownKeys,
  UnrecognizedClientException: unknownKeys,
  ExpiredToken: 'the AWS session is over: get new AWS credentials',
  ExpiredTokenException: 'the AWS session is over: get new AWS credentials',
};

/** The cure for a refusal by Amazon Redshift, where it is known. */
export function hintForRedshift({ code }: ServiceErrorDetails): string | undefined {
  return Object.entries(hints).find(([name]) => name === code)?.[1];
}
