import { readFileSync } from 'node:fs';
import { RolesAnywhereError } from '../errors.ts';
import { env } from '../runtime/env.ts';
import { reasonOf } from '../runtime/errno.ts';

/** OpenSSL's verification results that mean: the chain may be fine, but its authority is not among those we know. */
const unknownAuthority = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

export function isUnknownAuthority(code: string | undefined): boolean {
  return code !== undefined && unknownAuthority.has(code);
}

/** Where systems keep the authorities that their administrator trusts, all of them in one PEM file. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Alpine, Arch
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL, Amazon Linux
  '/etc/ssl/ca-bundle.pem', // SUSE
  '/etc/ssl/cert.pem', // macOS, BSDs, Alpine
];

/**
 * The authorities of `--ca-bundle` or AWS_CA_BUNDLE, which then count alone, as in the SDKs; undefined where
 * neither is given.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE
 */
export function configuredAuthorities(caBundle: string | undefined): readonly string[] | undefined {
  const [name, path] =
    caBundle === undefined ? ['AWS_CA_BUNDLE', env('AWS_CA_BUNDLE')] : ['--ca-bundle', caBundle];
  if (path === undefined) return undefined;
  const hint = `${name} must name a file of PEM certificates`;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new RolesAnywhereError('FILE_UNREADABLE', `cannot read the CA bundle ${path}: ${reasonOf(cause)}`, {
      hint,
      cause,
    });
  }
  if (!text.includes('-----BEGIN ') || !text.includes('CERTIFICATE-----')) {
    throw new RolesAnywhereError('FILE_UNREADABLE', `the CA bundle ${path} holds no PEM certificate`, {
      hint,
    });
  }
  return [text];
}

/**
 * The runtime's own authorities with the system's added: a company's proxy that opens TLS is known to the system
 * alone. Undefined where the system has no bundle that we find.
 */
export async function authoritiesWithSystem(): Promise<readonly string[] | undefined> {
  for (const path of [env('SSL_CERT_FILE'), ...systemBundles]) {
    if (path === undefined) continue;
    try {
      const text = readFileSync(path, 'utf8');
      // Imported here alone: on the other runtimes it is not loaded yet.
      if (text.includes('-----BEGIN ')) return [...(await import('node:tls')).rootCertificates, text];
    } catch {
      // The next one.
    }
  }
  return undefined;
}
