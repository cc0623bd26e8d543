import type { Certificate } from '../../certificate/certificate.ts';
import { RolesAnywhereError } from '../../errors.ts';
import { silent } from '../../reporter.ts';
import type { Reporter } from '../../reporter.ts';
import type { PasswordProvider } from '../password.ts';
import type { Signer } from '../signer.ts';
import { wasLost } from './failure.ts';
import { findLibrary } from './library.ts';
import { PinKeeper } from './pin.ts';
import { TokenStore } from './token-store.ts';
import type { StoreSettings } from './token-store.ts';
import { parsePkcs11Uri } from './uri.ts';
import type { Pkcs11Uri } from './uri.ts';

export interface Pkcs11Options {
  /** URI of the certificate. Without it, the key's own is looked for on its token. */
  readonly certificate?: string | undefined;
  /** URI of the key. Without it, the certificate's own is looked for on its token; `false` when it is elsewhere. */
  readonly privateKey?: string | false | undefined;
  /**
   * SubjectPublicKeyInfos (DER) of which the key or certificate must have one: those of the certificates, or that of
   * the key, that come from elsewhere. A leaf's goes first.
   */
  readonly publicKeys?: readonly Uint8Array[] | undefined;
  /** The module's path, as `--pkcs11-lib` gives it. */
  readonly library?: string | undefined;
  /** Asked for the PIN only when a login is needed, and the URIs do not say it. */
  readonly pin?: PasswordProvider | undefined;
  /** Whether a key that asks for the PIN at each signature (CKA_ALWAYS_AUTHENTICATE) gets that of the login. */
  readonly reusePin?: boolean | undefined;
  /** Which certificates may be chosen, as `--cert-selector` says. */
  readonly select?: ((certificate: Certificate) => boolean) | undefined;
  readonly useLatestExpiringCertificate?: boolean | undefined;
  readonly reporter?: Reporter | undefined;
  readonly now?: (() => Date) | undefined;
  /** How long one function of the module may take: 60 seconds unless told otherwise. */
  readonly callTimeoutSeconds?: number | undefined;
  /** The script of the module's process; the built one by default. */
  readonly host?: string | undefined;
}

export interface Pkcs11Contents {
  /** Absent when `privateKey` is false. */
  readonly signer?: Signer;
  /** The leaf, then everything else on its token as candidates for its issuers; empty when the token has no leaf. */
  readonly certificates: readonly Certificate[];
}

export interface TokenCertificate {
  readonly certificate: Certificate;
  /** Its complete URI, its token's attributes included. */
  readonly uri: string;
}

/**
 * Opens a key, a certificate, or both on a PKCS #11 token. What one URI does not say, the other or the public key
 * does; where several keys remain, the error names them. Without a key, nothing stays open.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, PKCS11_UNAVAILABLE, PKCS11_NOT_FOUND, PKCS11_AMBIGUOUS, PKCS11_FAILED,
 * KEY_CERTIFICATE_MISMATCH, KEY_UNSUPPORTED, PASSWORD_REQUIRED, PASSWORD_UNREADABLE, PASSWORD_WRONG, PIN_BLOCKED
 */
export async function openPkcs11(options: Pkcs11Options): Promise<Pkcs11Contents> {
  const certificate = options.certificate === undefined ? undefined : parsePkcs11Uri(options.certificate);
  const key = typeof options.privateKey === 'string' ? parsePkcs11Uri(options.privateKey) : undefined;
  const publicKeys = options.publicKeys ?? [];

  if (certificate === undefined) {
    if (key === undefined) {
      throw new RolesAnywhereError('INVALID_ARGUMENT', 'neither a certificate nor a key is named');
    }
    return withStore(options, [key], (store) => store.openKey(key, publicKeys));
  }
  if (options.privateKey === false) {
    const certificates = await withStore(options, [certificate], (store) =>
      store.readCertificate(certificate, publicKeys),
    );
    return { certificates };
  }
  if (key !== undefined && findLibrary(options.library, key) !== findLibrary(options.library, certificate)) {
    return openFromTwoModules(options, options.certificate ?? '', options.privateKey ?? '');
  }
  const uris: [Pkcs11Uri, ...Pkcs11Uri[]] = key === undefined ? [certificate] : [key, certificate];
  return withStore(options, uris, (store) => store.openPair(certificate, key));
}

async function openFromTwoModules(
  options: Pkcs11Options,
  certificate: string,
  privateKey: string,
): Promise<Pkcs11Contents> {
  const listed = await listPkcs11Certificates({ ...options, certificate });
  const publicKeys = listed.map((one) => one.certificate.publicKey);
  const signer = await openPkcs11Key({ ...options, certificate: undefined, privateKey, publicKeys });
  try {
    const found = await openPkcs11({ ...options, privateKey: false, publicKeys: [signer.publicKey] });
    return { ...found, signer };
  } catch (error) {
    await signer[Symbol.asyncDispose]();
    throw error;
  }
}

/** `openPkcs11` for the key alone. */
export async function openPkcs11Key(
  options: Pkcs11Options & { readonly privateKey: string },
): Promise<Signer> {
  const { signer } = await openPkcs11(options);
  if (signer === undefined) throw new RolesAnywhereError('INTERNAL', 'a key was opened without a signer');
  return signer;
}

/**
 * Every certificate that a URI matches, on every token, in the order of their URIs.
 *
 * @throws RolesAnywhereError as `openPkcs11`
 */
export async function listPkcs11Certificates(
  options: Omit<Pkcs11Options, 'privateKey' | 'publicKeys'> & { readonly certificate: string },
): Promise<readonly TokenCertificate[]> {
  const uri = parsePkcs11Uri(options.certificate);
  return withStore(options, [uri], async (store) =>
    (await store.candidates(uri)).filter(({ matches }) => matches),
  );
}

/** Opens a store for the module that the first URI names, and once more when its token or module got lost meanwhile. */
async function withStore<T>(
  options: Omit<Pkcs11Options, 'privateKey'>,
  uris: readonly [Pkcs11Uri, ...Pkcs11Uri[]],
  action: (store: TokenStore) => Promise<T>,
): Promise<T> {
  const { reporter = silent, now = () => new Date() } = options;
  const settings: StoreSettings = {
    connection: {
      library: findLibrary(options.library, uris[0]),
      pins: new PinKeeper({ uris, provider: options.pin, reuse: options.reusePin === true, reporter }),
      reporter,
      callSeconds: options.callTimeoutSeconds ?? 60,
      host: options.host,
    },
    reporter,
    now,
    select: options.select ?? (() => true),
    latestWins: options.useLatestExpiringCertificate === true,
  };
  try {
    await using store = new TokenStore(settings);
    return await action(store);
  } catch (error) {
    if (!wasLost(error)) throw error;
    reporter.debug('pkcs11: starting the module again');
  }
  await using store = new TokenStore(settings);
  return await action(store);
}
