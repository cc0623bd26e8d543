import { RolesAnywhereError } from '../errors.ts';
import type { IdentityOptions } from '../identity/options.ts';
import { once, onceEach, parsePasswordSource } from '../key/password.ts';
import type { PasswordProvider, PasswordSource } from '../key/password.ts';
import type { Reporter } from '../reporter.ts';
import { fileVersion } from '../runtime/file-version.ts';
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
  readonly 'no-tpm-key-password'?: boolean;
  readonly 'tpm-parent-password-from'?: string | undefined;
  readonly 'cert-selector'?: string | undefined;
  readonly 'use-latest-expiring-certificate'?: boolean;
  readonly 'pkcs11-lib'?: string | undefined;
  readonly 'reuse-pin'?: boolean;
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
    tpmParentPassword: tpmParentPassword(values, reporter),
    pkcs11Library: values['pkcs11-lib'],
    reusePin: values['reuse-pin'],
    reporter,
  });
}

/** Without an option too, a person is asked where there is one, as the old helper does. */
function keyPassword(values: KeyValues, reporter: Reporter): PasswordProvider {
  const source = passwordSource(values, 'key-password-from');
  for (const option of ['pkcs8-password', 'tpm-key-password'] as const) {
    const password = values[option];
    if (password === undefined) continue;
    reporter.warn(
      `--${option} shows the password to every user of this machine, in the list of processes`,
      'write --key-password-from file:PATH, env:NAME, fd:N, stdin or prompt instead',
    );
    return () => Promise.resolve(new Secret(Buffer.from(password)));
  }
  if (source !== undefined) return readOnce(source, reporter);
  if (values['no-tpm-key-password'] === true) return () => Promise.resolve(new Secret(new Uint8Array()));
  return Object.assign(readOnce({ type: 'prompt' }, reporter), { isLastResort: true });
}

function tpmParentPassword(values: KeyValues, reporter: Reporter): PasswordProvider | undefined {
  const source = passwordSource(values, 'tpm-parent-password-from');
  return source && readOnce(source, reporter);
}

/** Both ways are loaded only when a password is needed, which it seldom is. */
function readOnce(source: PasswordSource, reporter: Reporter): PasswordProvider {
  if (source.type === 'prompt') {
    return onceEach(async (what, kind) => (await import('./terminal.ts')).askSecretly(what, kind));
  }
  const read: PasswordProvider = async () =>
    (await import('../key/read-password.ts')).readPassword(source, reporter);
  if (source.type !== 'file') return once(read);
  return Object.assign(
    once(read, () => fileVersion([source.path])),
    { file: source.path },
  );
}

type PasswordOption = 'key-password-from' | 'tpm-parent-password-from';

/** A stream ends once: it cannot give a key and then its password, or two passwords. */
function passwordSource(values: KeyValues, option: PasswordOption): PasswordSource | undefined {
  const text = values[option];
  if (text === undefined) return undefined;
  const source = parsePasswordSource(text, `--${option}`);
  const descriptor =
    source.type === 'stdin' ? 0 : source.type === 'descriptor' ? source.descriptor : undefined;
  const others = ['certificate', 'private-key', 'intermediates', 'key-password-from'] as const;
  for (const other of others) {
    const value = values[other];
    if (other === option || value === undefined) continue;
    const [, digits] = /^fd:(\d+)$/.exec(value.replace(/^(?:-|stdin)$/, 'fd:0')) ?? [];
    if (digits === undefined || Number(digits) !== descriptor) continue;
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      `--${other} and --${option} cannot both be read from ${value}`,
      { hint: 'give the password another way: file:PATH, env:NAME, fd:N or prompt' },
    );
  }
  return source;
}
