import { prepareSession } from '../aws/create-session.ts';
import type { ConnectionOptions, SessionRequest } from '../aws/create-session.ts';
import type { Credentials } from '../aws/credentials.ts';
import type { IdentityOptions } from '../identity/options.ts';
import type { PasswordProvider } from '../key/password.ts';
import { silent } from '../reporter.ts';
import type { Reporter } from '../reporter.ts';
import { Secret } from '../secret.ts';
import { daily } from './daily.ts';
import { Refresher } from './refresher.ts';
import { sessionSource } from './session-source.ts';

/** A password or PIN, or what gives it when it is needed. */
export type PasswordOption = string | Uint8Array | (() => string | Uint8Array | Promise<string | Uint8Array>);

/**
 * Which session to open, with which key and certificate, and the way to the service. `certificate`, `privateKey` and
 * `intermediates` also take PEM text itself.
 */
export interface RolesAnywhereOptions
  extends
    SessionRequest,
    Pick<ConnectionOptions, 'proxy' | 'caBundle' | 'verifyTls' | 'timeoutSeconds'>,
    Omit<IdentityOptions, 'keyPassword' | 'tpmParentPassword' | 'streams' | 'now' | 'reporter'> {
  /** Of an encrypted key, or the PIN of a token. */
  readonly keyPassword?: PasswordOption;
  /** Of what a TPM key was made under. */
  readonly tpmParentPassword?: PasswordOption;
  /** Is told of warnings, such as that the certificate will expire; nobody is unless given. */
  readonly reporter?: Reporter;
}

/** A credential provider as the AWS SDK for JavaScript v3 takes it (its `AwsCredentialIdentityProvider`). */
export interface RolesAnywhereProvider extends AsyncDisposable {
  /**
   * Gives credentials that are valid now. Those at hand are given as long as they last; new ones are fetched ahead of
   * their end, by one request whoever asks. `forceRefresh` fetches new ones now. Whatever else an SDK says, such as the
   * region of its client, has no say: the trust anchor's region counts.
   *
   * @throws RolesAnywhereError as `openIdentity` and `createSession` do, when no credentials are valid any more
   */
  (options?: { readonly forceRefresh?: boolean }): Promise<Credentials & { readonly accountId: string }>;
  /** Closes keys and tokens. Afterwards no new session can be opened. */
  close(): Promise<void>;
}

/**
 * AWS credentials inside a program: `new S3Client({ credentials: fromRolesAnywhere({ … }) })`. Nothing is read or sent
 * before the first credentials are asked for, and nothing keeps the program from ending.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function fromRolesAnywhere(options: RolesAnywhereOptions): RolesAnywhereProvider {
  const { reporter = silent, keyPassword, tpmParentPassword, ...rest } = options;
  const session = prepareSession(options);
  const identity: IdentityOptions = {
    ...rest,
    ...contents(options),
    ...(keyPassword !== undefined && { keyPassword: asked(keyPassword) }),
    ...(tpmParentPassword !== undefined && { tpmParentPassword: asked(tpmParentPassword) }),
  };
  const connection = { ...rest, reporter: daily(reporter) };
  const refresher = new Refresher({
    source: sessionSource({ identity, session, connection }),
    reporter,
  });
  const close = (): Promise<void> => refresher[Symbol.asyncDispose]();
  const provide = async (asked: { readonly forceRefresh?: boolean } = {}) => {
    const { credentials } = await refresher.get({ forceRefresh: asked.forceRefresh === true });
    // A copy: the SDK writes into what it is given.
    return { ...structuredClone(credentials), accountId: session.role.account };
  };
  return Object.assign(provide, { close, [Symbol.asyncDispose]: close });
}

/** Those of the sources that are PEM text, as bytes. */
function contents(
  options: RolesAnywhereOptions,
): Pick<IdentityOptions, 'certificate' | 'privateKey' | 'intermediates'> {
  const names = ['certificate', 'privateKey', 'intermediates'] as const;
  const texts = names.flatMap((name) => {
    const source = options[name];
    return typeof source === 'string' && source.includes('-----BEGIN ')
      ? [[name, Buffer.from(source)] as const]
      : [];
  });
  return Object.fromEntries(texts);
}

function asked(password: PasswordOption): PasswordProvider {
  return async () => {
    const answer = typeof password === 'function' ? await password() : password;
    return new Secret(Buffer.from(answer));
  };
}
