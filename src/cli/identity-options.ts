import { RolesAnywhereError } from '../errors.ts';
import type { IdentityOptions } from '../identity.ts';
import { once, parsePasswordSource } from '../key/password.ts';
import type { PasswordProvider, PasswordSource } from '../key/password.ts';
import type { Reporter } from '../reporter.ts';
import { Secret } from '../secret.ts';
import { given } from './given.ts';

/** The values of the options that name a key and its certificate; a command may lack some. */
interface KeyValues {
  readonly certificate?: string | undefined;
  readonly 'private-key'?: string | undefined;
  readonly intermediates?: string | undefined;
  readonly 'key-password-from'?: string | undefined;
  readonly 'pkcs8-password'?: string | undefined;
  readonly 'tpm-key-password'?: string | undefined;
  readonly 'cert-selector'?: string | undefined;
  readonly 'use-latest-expiring-certificate'?: boolean;
}

/**
 * What the command line says of the key and its certificate, as the library takes it. Nothing is read yet.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function identityOptions(values: KeyValues, reporter: Reporter): IdentityOptions {
  return given({
    certificate: values.certificate,
    privateKey: values['private-key'],
    intermediates: values.intermediates,
    certificateSelector: values['cert-selector'],
    useLatestExpiring: values['use-latest-expiring-certificate'],
    keyPassword: keyPassword(values, reporter),
    reporter,
  });
}

/** Without an option too, a person is asked where there is one, as the old helper does. */
function keyPassword(values: KeyValues, reporter: Reporter): PasswordProvider {
  const from = values['key-password-from'];
  const source: PasswordSource =
    from === undefined ? { type: 'prompt' } : parsePasswordSource(from, '--key-password-from');
  if (from !== undefined) refuseSharedStream(values, source);
  for (const option of ['pkcs8-password', 'tpm-key-password'] as const) {
    // Empty counts as not given, as before.
    const password = values[option];
    if (!password) continue;
    reporter.warn(
      `--${option} shows the password to every user of this machine, in the list of processes`,
      'write --key-password-from file:PATH, env:NAME, fd:N, stdin or prompt instead',
    );
    return () => Promise.resolve(new Secret(Buffer.from(password)));
  }
  // Both are loaded only when a password is needed, which it seldom is.
  return once(async (what) => {
    if (source.type === 'prompt') return (await import('./terminal.ts')).askSecretly(what);
    return (await import('../key/read-password.ts')).readPassword(source, reporter);
  });
}

/** A stream ends once: it cannot give a key and then its password. */
function refuseSharedStream(values: KeyValues, source: PasswordSource): void {
  const descriptor =
    source.type === 'stdin' ? 0 : source.type === 'descriptor' ? source.descriptor : undefined;
  for (const option of ['certificate', 'private-key', 'intermediates'] as const) {
    const [, digits] = /^fd:(\d+)$/.exec(values[option]?.replace(/^-$/, 'fd:0') ?? '') ?? [];
    if (digits === undefined || Number(digits) !== descriptor) continue;
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      `--${option} and --key-password-from cannot both be read from ${values[option] ?? ''}`,
      { hint: 'give the password another way: file:PATH, env:NAME, fd:N or prompt' },
    );
  }
}
