import { readFileSync, statSync } from 'node:fs';
import { env } from '../runtime/env.ts';
import type { Values } from './options.ts';

type SessionValues = Values<'credential-process'>;

/**
 * What each option has to do with the session that comes of it. `text`: its words shape it. `source`: what it names is
 * read, for certificates are renewed in their place. `nothing`: it says how a session is asked for, and every way leads
 * to the same one; passwords are among them, and nothing of theirs may reach the cache.
 */
const parts = {
  'trust-anchor-arn': 'text',
  'profile-arn': 'text',
  'role-arn': 'text',
  'session-duration': 'text',
  'role-session-name': 'text',
  'instance-property': 'text',
  certificate: 'source',
  // The certificate says which key it has to be; without one it is in the key's source.
  'private-key': 'text',
  intermediates: 'source',
  // In a file too.
  'cert-selector': 'source',
  'use-latest-expiring-certificate': 'text',
  'system-store-name': 'text',
  'pkcs11-lib': 'text',
  region: 'text',
  endpoint: 'text',
  // Whom the session came from: nobody who checks shall get what was opened unchecked.
  'ca-bundle': 'text',
  'no-verify-ssl': 'text',
  'with-proxy': 'nothing',
  'no-proxy': 'nothing',
  timeout: 'nothing',
  'key-password-from': 'nothing',
  'pkcs8-password': 'nothing',
  'tpm-key-password': 'nothing',
  'no-tpm-key-password': 'nothing',
  'tpm-parent-password-from': 'nothing',
  'reuse-pin': 'nothing',
  cache: 'nothing',
  'no-cache': 'nothing',
  debug: 'nothing',
} as const satisfies Record<keyof SessionValues, 'text' | 'source' | 'nothing'>;

/**
 * What the environment says of where services answer, and who vouches for them.
 *
 * @param services as the names of their own variables end: `STS`
 */
export function serviceVariables(services: readonly string[]): (string | null)[] {
  const own = services.map((service) => `AWS_ENDPOINT_URL_${service}`);
  return [...own, ...commonVariables].map((name) => env(name) ?? null);
}

const commonVariables = [
  'AWS_ENDPOINT_URL',
  'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
  'AWS_USE_FIPS_ENDPOINT',
  'AWS_USE_DUALSTACK_ENDPOINT',
  'AWS_CA_BUNDLE',
];

/** As key/source.ts has it, which would have to be loaded. */
const maximumSize = 1024 * 1024;

/**
 * Everything that shapes the session of a command line and holds no secret, as one text: equal texts, equal sessions.
 *
 * Undefined where that cannot be told: what is read from a stream can be read only once, and a file may be missing.
 */
export async function sessionShape(values: SessionValues): Promise<string | undefined> {
  const shape: unknown[] = serviceVariables(['ROLESANYWHERE']);
  for (const [name, part] of Object.entries(parts) as [keyof SessionValues, string][]) {
    const value = values[name];
    if (part === 'nothing' || value === undefined) continue;
    shape.push(name, typeof value === 'string' ? withoutPin(value) : value);
    const isSource = part === 'source' || (name === 'private-key' && values.certificate === undefined);
    if (!isSource || typeof value !== 'string') continue;
    const contents = name === 'cert-selector' ? selectorIn(value) : await certificatesIn(value);
    if (contents === undefined) return undefined;
    shape.push(contents);
  }
  return JSON.stringify(shape);
}

/** The certificates in a source, without the private keys in it; undefined of what cannot be read twice. */
async function certificatesIn(source: string): Promise<string | undefined> {
  // What is on a token or in a TPM cannot be read without loading what talks to it.
  if (/^(?:pkcs11|handle):/.test(source)) return '';
  if (source === '-' || source.startsWith('fd:')) return undefined;
  const text = source.startsWith('env:') ? env(source.slice(4)) : readFile(source, 'utf8');
  const certificates = text?.match(/-----BEGIN ([A-Z0-9 ]*CERTIFICATE)-----[^]*?-----END \1-----/g);
  if (certificates || text === undefined) return certificates?.join('\n');
  // DER, PKCS#12: node:crypto costs milliseconds to load, and PEM does without.
  const bytes = source.startsWith('env:') ? text : readFile(source, 'latin1');
  const { createHash } = await import('node:crypto');
  return bytes && createHash('sha256').update(bytes).digest('hex');
}

function selectorIn(text: string): string | undefined {
  return text.startsWith('file://') ? readFile(text.slice('file://'.length), 'utf8') : '';
}

function readFile(path: string, encoding: 'utf8' | 'latin1'): string | undefined {
  try {
    const status = statSync(path);
    // To read a pipe here would take it from who needs it.
    if (!status.isFile() || status.size > maximumSize) return undefined;
    return readFileSync(path, encoding);
  } catch {
    return undefined;
  }
}

/** A PIN in a PKCS #11 URI (RFC 7512, section 2.4), and where it is read from, changes nothing about the token. */
function withoutPin(value: string): string {
  return value.startsWith('pkcs11:') ? value.replace(/([;?&])pin-(?:value|source)=[^;?&]*/gi, '$1') : value;
}
