import { parseCertificate } from '../../certificate/certificate.ts';
import type { Certificate } from '../../certificate/certificate.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { Reporter } from '../../reporter.ts';
import type { Signer } from '../signer.ts';
import { byUri, certificatesFor, chooseKey, latestFirst, listUris, publicKeysOf } from './choose.ts';
import type { Candidate, ChosenKey } from './choose.ts';
import { Connection } from './connection.ts';
import type { ConnectionSettings } from './connection.ts';
import { equal } from './objects.ts';
import type { FoundCertificate, FoundKey, Search } from './protocol.ts';
import { slotSearch } from './slots.ts';
import { TokenSigner } from './token-signer.ts';
import { formatPkcs11Uri, parsePkcs11Uri } from './uri.ts';
import type { Pkcs11Uri } from './uri.ts';

export interface StoreSettings {
  readonly connection: ConnectionSettings;
  readonly reporter: Reporter;
  readonly now: () => Date;
  /** Which certificates may be chosen. */
  readonly select: (certificate: Certificate) => boolean;
  /** Whether of several certificates the one that expires last is taken. */
  readonly latestWins: boolean;
}

interface OpenPair {
  readonly signer: Signer;
  readonly certificates: readonly Certificate[];
}

/**
 * What one module reaches: its tokens' certificates and keys. A signer that comes out of it takes the connection
 * along; without one, disposing closes it.
 */
export class TokenStore implements AsyncDisposable {
  readonly #settings: StoreSettings;
  #connection: Promise<Connection> | undefined;

  constructor(settings: StoreSettings) {
    this.#settings = settings;
  }

  /**
   * The certificates of the tokens that a URI matches, in the order of their URIs, one at least of which matches as
   * a whole.
   *
   * @throws RolesAnywhereError PKCS11_NOT_FOUND
   */
  async candidates(uri: Pkcs11Uri): Promise<readonly Candidate[]> {
    const search = toSearch(uri);
    const connection = await this.#connect();
    const found = this.#parse(await connection.request('certificates', { search }));
    const matching = found.filter(({ matches }) => matches);
    if (matching.length === 0) throw notFound('certificate', search);
    const { select } = this.#settings;
    const selected = found.map((one) => ({ ...one, matches: one.matches && select(one.certificate) }));
    if (selected.some(({ matches }) => matches)) return selected;
    throw new RolesAnywhereError('PKCS11_NOT_FOUND', `the selector fits none of ${listUris(matching)}`);
  }

  /** The certificate of a key that is elsewhere, with what may be its issuers. @throws KEY_CERTIFICATE_MISMATCH */
  async readCertificate(uri: Pkcs11Uri, publicKeys: readonly Uint8Array[]): Promise<readonly Certificate[]> {
    const all = await this.candidates(uri);
    const matching = all.filter(({ matches }) => matches);
    for (const publicKey of publicKeys) {
      const certificates = certificatesFor(publicKey, matching, all, this.#settings.now());
      if (certificates.length > 0) return certificates;
    }
    throw new RolesAnywhereError(
      'KEY_CERTIFICATE_MISMATCH',
      `the private key belongs to none of ${listUris(matching)}`,
      {
        hint: 'name the key and the certificate that were made together',
      },
    );
  }

  /** A certificate by its URI, and its key by another URI or beside it. */
  async openPair(certificateUri: Pkcs11Uri, keyUri: Pkcs11Uri | undefined): Promise<OpenPair> {
    const all = await this.candidates(certificateUri);
    const matching = all.filter(({ matches }) => matches);
    // When the latest wins, they are tried one after the other, since a stranger's certificate has no key here.
    const attempts = this.#settings.latestWins ? latestFirst(matching).map((one) => [one]) : [matching];
    const search = keyUri === undefined ? {} : toSearch(keyUri);
    let found: readonly FoundKey[] = [];
    for (const candidates of attempts) {
      const publicKeys = publicKeysOf(candidates);
      const connection = await this.#connect();
      found = await connection.request('keys', {
        search,
        wanted: toSearch(keyUri ?? certificateUri),
        publicKeys,
        ...(keyUri === undefined ? { slots: candidates.map(({ slot }) => slot) } : {}),
      });
      const chosen = chooseKey(found, publicKeys);
      if (chosen !== undefined) return this.#pair(chosen, matching, all);
    }
    if (keyUri !== undefined && found.length === 0) throw notFound('private key', search);
    throw keyUri === undefined
      ? new RolesAnywhereError('PKCS11_NOT_FOUND', `no private key for ${listUris(matching)} on its token`, {
          hint: 'name the key with --private-key',
        })
      : mismatch(found, `of ${listUris(matching)}`);
  }

  /** A key by its URI; its certificate comes from elsewhere when public keys are given, else from beside it. */
  async openKey(uri: Pkcs11Uri, publicKeys: readonly Uint8Array[]): Promise<OpenPair> {
    const search = toSearch(uri);
    const connection = await this.#connect();
    const keys = await connection.request('keys', { search, publicKeys });
    if (keys.length === 0) throw notFound('private key', search);
    if (publicKeys.length > 0) {
      const chosen = chooseKey(keys, publicKeys);
      if (chosen === undefined) throw mismatch(keys, 'of the certificate');
      return this.#pair(chosen, [], []);
    }
    const slots = keys.map(({ slot }) => slot);
    const all = this.#parse(await connection.request('certificates', { search: slotSearch(search), slots }));
    const keyed = all.filter(({ certificate: { publicKey } }) =>
      keys.some((key) => key.publicKey !== undefined && equal(key.publicKey, publicKey)),
    );
    const leaves = latestFirst(keyed.filter(({ certificate }) => this.#settings.select(certificate)));
    const chosen = chooseKey(keys, publicKeysOf(this.#settings.latestWins ? leaves.slice(0, 1) : leaves));
    if (chosen !== undefined) return this.#pair(chosen, leaves, all);
    throw new RolesAnywhereError(
      'KEY_UNSUPPORTED',
      `the token does not tell the public key of ${listUris(keys)}`,
      {
        hint: 'name its certificate with --certificate',
      },
    );
  }

  /** Closes the connection, unless a signer has taken it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.then(
      (open) => open.close(),
      () => undefined, // It did not open, as whoever waited for it has heard.
    );
  }

  #connect(): Promise<Connection> {
    return (this.#connection ??= Connection.open(this.#settings.connection));
  }

  async #pair(chosen: ChosenKey, leaves: readonly Candidate[], all: readonly Candidate[]): Promise<OpenPair> {
    const { key, publicKey, proven } = chosen;
    const certificates = certificatesFor(publicKey, leaves, all, this.#settings.now());
    const signer = new TokenSigner(
      { connection: await this.#connect(), key },
      { publicKey, proven, reopen: () => this.#reopen(chosen) },
    );
    this.#connection = undefined;
    this.#settings.reporter.debug(`pkcs11: the key is ${key.uri}`);
    return { signer, certificates };
  }

  /** The same key, by a new process with the module: the only sure way to see a token that was put back. */
  async #reopen({ key: { uri }, publicKey }: ChosenKey): Promise<{ connection: Connection; key: FoundKey }> {
    this.#settings.reporter.debug(`pkcs11: looking for ${uri} again`);
    const connection = await Connection.open(this.#settings.connection);
    try {
      const search = toSearch(parsePkcs11Uri(uri));
      const found = chooseKey(await connection.request('keys', { search, publicKeys: [publicKey] }), [
        publicKey,
      ]);
      if (found === undefined) throw notFound('private key', search);
      return { connection, key: found.key };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  #parse(found: readonly FoundCertificate[]): readonly Candidate[] {
    return found
      .flatMap(({ der, uri, slot, matches }) => {
        try {
          return [{ certificate: parseCertificate(der), uri, slot, matches }];
        } catch (error) {
          if (!(error instanceof RolesAnywhereError)) throw error;
          this.#settings.reporter.debug(`pkcs11: skipped ${uri}: ${error.message}`);
          return [];
        }
      })
      .sort(byUri);
  }
}

/** What the module's process needs to know of a URI: the PIN stays here. */
function toSearch(uri: Pkcs11Uri): Search {
  const { id, object } = uri;
  return {
    ...slotSearch(uri),
    ...(id === undefined ? {} : { id }),
    ...(object === undefined ? {} : { object }),
  };
}

function notFound(what: string, search: Search): RolesAnywhereError {
  return new RolesAnywhereError(
    'PKCS11_NOT_FOUND',
    `no ${what} on any token matches ${formatPkcs11Uri(search)}`,
    {
      hint: 'list what is there with p11tool --list-tokens and pkcs11-tool --list-objects; some of it may need the PIN',
    },
  );
}

function mismatch(keys: readonly FoundKey[], of: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'KEY_CERTIFICATE_MISMATCH',
    `${listUris(keys)} is not the private key ${of}`,
    {
      hint: 'name the key and the certificate that were made together',
    },
  );
}
