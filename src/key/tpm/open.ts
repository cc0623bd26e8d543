import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../../errors.ts';
import { silent } from '../../reporter.ts';
import type { Reporter } from '../../reporter.ts';
import type { PasswordProvider } from '../password.ts';
import type { Signer } from '../signer.ts';
import { readPublic } from './commands.ts';
import { formatHandle, handleType, handleTypes } from './constants.ts';
import { describeFailure } from './failure.ts';
import { readTpmKeyFile, unsupported } from './key-file.ts';
import { UnsupportedObject } from './public-area.ts';
import type { PublicArea } from './public-area.ts';
import { checkCanSign } from './signature.ts';
import { TpmSigner } from './signer.ts';
import { toPublicKey } from './subject-public-key.ts';
import { withTpm } from './tpm.ts';
import type { TpmAccess } from './tpm.ts';

export interface TpmSignerOptions {
  /** A file with a `TSS2 PRIVATE KEY`, PEM or DER, and what messages call it; or the handle of a key in the TPM. */
  readonly key: { readonly bytes: Uint8Array; readonly name: string } | { readonly handle: number };
  /** Asked at the first signing. */
  readonly password?: PasswordProvider | undefined;
  /** The password of the key that a key file's key was made under, or of that key's hierarchy. */
  readonly parentPassword?: PasswordProvider | undefined;
  /** A character device, a unix socket or `host:port`; by default what TPM_DEVICE says, else the machine's TPM. */
  readonly device?: string | undefined;
  /** For each use of the TPM (60). */
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly reporter?: Reporter | undefined;
}

/**
 * A signing key in a TPM 2.0. Between two signings nothing is open and nothing is loaded: other programs can use the
 * TPM, it may be restarted, and the end of this process leaves nothing behind in it.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, KEY_INVALID, KEY_UNSUPPORTED or PASSWORD_REQUIRED; KEY_UNREADABLE when
 * the TPM fails
 */
export async function openTpmSigner(options: TpmSignerOptions): Promise<Signer> {
  const { key, password, parentPassword, device, timeoutSeconds = 60, signal, reporter = silent } = options;
  const closing = new AbortController();
  const interrupt = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal]);
  const access: TpmAccess = { device, timeoutSeconds, interrupt, reporter };
  const common = { access, closing, parentPassword };

  if ('handle' in key) {
    const name = `handle:${formatHandle(key.handle)}`;
    const area = await readHandle(key.handle, name, access);
    return new TpmSigner({ ...common, ...checkKey(area, name), place: key, password });
  }
  const { name } = key;
  const file = readTpmKeyFile(key.bytes, name);
  const checked = checkKey(file.area, name);
  if (password === undefined && !file.hasEmptyAuth) {
    // Trying the empty password would count towards the lock-out.
    throw new RolesAnywhereError('PASSWORD_REQUIRED', `the TPM key ${name} needs a password`, {
      hint: 'say where it is with --key-password-from, or that there is none with --no-tpm-key-password',
    });
  }
  return new TpmSigner({ ...common, ...checked, place: file, password });
}

async function readHandle(handle: number, name: string, access: TpmAccess): Promise<PublicArea> {
  const type = handleType(handle);
  if (type !== handleTypes.persistent && type !== handleTypes.transient) {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `${name} is not the handle of a key in a TPM`, {
      hint: 'handles of persistent keys are 0x81000000 to 0x81ffffff: tpm2_getcap handles-persistent lists them',
    });
  }
  try {
    return (await withTpm(access, (tpm) => tpm.execute(readPublic(handle)))).area;
  } catch (error) {
    if (error instanceof UnsupportedObject) throw unsupported(name, error.message);
    throw describeFailure(error, 'KEY_UNREADABLE', `cannot read TPM key ${name}`);
  }
}

function checkKey(
  area: PublicArea,
  name: string,
): { readonly area: PublicArea; readonly name: string; readonly publicKey: KeyObject } {
  checkCanSign(area, name);
  try {
    return { area, name, publicKey: toPublicKey(area) };
  } catch (cause) {
    throw new RolesAnywhereError(
      'KEY_INVALID',
      `cannot parse TPM key ${name}: its numbers make no public key`,
      { cause },
    );
  }
}
