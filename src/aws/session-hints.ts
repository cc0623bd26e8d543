import type { ServiceErrorDetails } from './service-error.ts';

/** The opaque refusals of the field, and what stands behind each. Without the u flag: see certificate/name.ts. */
const hints: readonly (readonly [words: RegExp, hint: string])[] = [
  [
    /untrusted signing certificate|untrusted certificate/i,
    "the certificate does not chain to the trust anchor's: check --trust-anchor-arn, and give missing issuers with --intermediates",
  ],
  [
    /insufficient certificate/i,
    'the certificate lacks what the service demands: X.509 v3, digitalSignature, CA:false, SHA-256 or better, a subject',
  ],
  [
    /revoked/i,
    'the certificate is on a revocation list that the trust anchor imported: have a new one issued',
  ],
  [
    /unable to assume role/i,
    "check that the profile lists the role, and that the role's trust policy lets rolesanywhere.amazonaws.com do sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity under conditions that this certificate meets",
  ],
  [
    /not authorized to set rolesessionname/i,
    'leave --role-session-name out, or let the profile accept it (acceptRoleSessionName)',
  ],
  [/scoped to a valid region/i, "leave --region out, or give the trust anchor's region"],
  [/profile.*(?:disabled|not enabled)/i, 'enable the profile, or name another with --profile-arn'],
  [
    /(?:trust ?anchor).*(?:disabled|not enabled)/i,
    'enable the trust anchor, or name another with --trust-anchor-arn',
  ],
];

const hintsByCode: Readonly<Record<string, string>> = {
  ResourceNotFoundException:
    'check the three ARNs: account, region and identifier, and that nothing was deleted',
  AccessDeniedException:
    'check that trust anchor and profile are enabled, that the profile lists the role, and the conditions of its trust policy',
};

/** The cure for a refusal of CreateSession, where it is known. */
export function hintForSession({ code, message }: ServiceErrorDetails): string | undefined {
  return hints.find(([words]) => words.test(message))?.[1] ?? hintsByCode[code ?? ''];
}
