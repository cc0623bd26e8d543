import type { Option } from './kinds.ts';

export const general = {
  debug: { kind: 'flag', group: 'General', description: 'say each step on stderr, never a secret' },
} as const satisfies Record<string, Option>;

/** What says where the key and its certificate are. */
export const keyOptions = {
  certificate: {
    kind: 'text',
    value: 'SOURCE',
    group: 'Certificate and key',
    description:
      'PEM, DER or PKCS#12 file, in a bundle the one that the key belongs to; pkcs11: URI; -, env:NAME or fd:N for PEM text',
  },
  'private-key': {
    kind: 'text',
    value: 'SOURCE',
    group: 'Certificate and key',
    description:
      'PEM, DER, PKCS#12 or TSS2 (TPM) file; pkcs11: URI; handle:0x81… in a TPM; -, env:NAME or fd:N; not needed ' +
      "when the certificate's source holds the key",
  },
  'key-password-from': {
    kind: 'text',
    value: 'SOURCE',
    group: 'Certificate and key',
    isNew: true,
    description: 'password of the key, or PIN of the token: file:PATH, env:NAME, fd:N, stdin or prompt',
  },
  'pkcs8-password': {
    kind: 'text',
    value: 'PASSWORD',
    group: 'Certificate and key',
    conflicts: 'key-password-from',
    description: 'password of the key; others can see it in the process list',
  },
  'cert-selector': {
    kind: 'text',
    value: 'SELECTOR',
    group: 'Certificate and key',
    refusesEmpty: true,
    description:
      'which certificate of several: Key=x509Subject,Value=… (x509Issuer, x509Serial, x509Thumbprint), JSON, or file://PATH',
  },
  'use-latest-expiring-certificate': {
    kind: 'flag',
    group: 'Certificate and key',
    description: 'of several matching certificates, use the one that expires last',
  },
  'system-store-name': {
    kind: 'text',
    value: 'NAME',
    group: 'Certificate and key',
    later: true,
    description: "Windows certificate store (the old helper's default is MY)",
  },
  'pkcs11-lib': {
    kind: 'text',
    value: 'FILE',
    group: 'Tokens and TPM',
    description: "PKCS#11 module; p11-kit's proxy unless given",
  },
  'reuse-pin': {
    kind: 'flag',
    group: 'Tokens and TPM',
    description: 'give the PIN again for keys that ask at every signature',
  },
  'tpm-key-password': {
    kind: 'text',
    value: 'PASSWORD',
    group: 'Tokens and TPM',
    conflicts: 'pkcs8-password',
    description: 'password of the TPM key; others can see it in the process list',
  },
  'no-tpm-key-password': {
    kind: 'flag',
    group: 'Tokens and TPM',
    conflicts: 'tpm-key-password',
    description: 'the TPM key has no password',
  },
  'tpm-parent-password-from': {
    kind: 'text',
    value: 'SOURCE',
    group: 'Tokens and TPM',
    isNew: true,
    description: "authorisation of the TPM key's parent: file:PATH, env:NAME, fd:N, stdin or prompt",
  },
} as const satisfies Record<string, Option>;

/** The session's resources; required where there is always a session. */
export const arnOptions = {
  'trust-anchor-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    description: 'trust anchor that the certificate chains to',
  },
  'profile-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    description: 'Roles Anywhere profile that lists the role',
  },
  'role-arn': {
    kind: 'text',
    value: 'ARN',
    group: 'Session',
    description: 'IAM role to assume',
  },
} as const satisfies Record<string, Option>;

export const sessionOptions = {
  'trust-anchor-arn': { ...arnOptions['trust-anchor-arn'], required: true },
  'profile-arn': { ...arnOptions['profile-arn'], required: true },
  'role-arn': { ...arnOptions['role-arn'], required: true },
  'session-duration': {
    kind: 'number',
    value: 'SECONDS',
    group: 'Session',
    default: '3600',
    description: 'how long the session lasts, 900 to 43200; the profile may cap it',
  },
  'role-session-name': {
    kind: 'text',
    value: 'NAME',
    group: 'Session',
    description: "name of the session, when the profile accepts one; else the certificate's serial number",
  },
  'instance-property': {
    kind: 'list',
    value: 'NAME=VALUE',
    group: 'Session',
    isNew: true,
    description: 'property of this machine, recorded with the session; may be repeated',
  },
  ...keyOptions,
  intermediates: {
    kind: 'text',
    value: 'SOURCE',
    group: 'Certificate and key',
    description: 'PEM or DER bundle of the issuers to send along, in any order',
  },
  region: {
    kind: 'text',
    value: 'REGION',
    group: 'Service and network',
    description: "region to sign for; the trust anchor's unless given",
  },
  endpoint: {
    kind: 'text',
    value: 'URL',
    group: 'Service and network',
    description: 'address of the service, a path before /sessions included',
  },
  'with-proxy': {
    kind: 'flag',
    group: 'Service and network',
    conflicts: 'no-proxy',
    description: 'insist on the proxy of the environment (it is used anyway when set)',
  },
  'no-proxy': {
    kind: 'flag',
    group: 'Service and network',
    isNew: true,
    description: 'connect directly whatever HTTPS_PROXY says',
  },
  'ca-bundle': {
    kind: 'text',
    value: 'FILE',
    group: 'Service and network',
    isNew: true,
    description: "PEM authorities to trust instead of Node's and the system's, like AWS_CA_BUNDLE",
  },
  'no-verify-ssl': {
    kind: 'flag',
    group: 'Service and network',
    description: "do not check the service's certificate: for tests only",
  },
  timeout: {
    kind: 'number',
    value: 'SECONDS',
    group: 'Service and network',
    isNew: true,
    default: '60',
    description: 'longest time that opening a session may take, retries included',
  },
  cache: {
    kind: 'flag',
    group: 'Service and network',
    isNew: true,
    conflicts: 'no-cache',
    description: 'share the session with other processes of this user, as ROLESANYWHERE_CACHE=1 does',
  },
  'no-cache': {
    kind: 'flag',
    group: 'Service and network',
    isNew: true,
    description: 'open a session of its own whatever ROLESANYWHERE_CACHE says',
  },
  ...general,
} as const satisfies Record<string, Option>;
