import type { ErrorCode } from '../../errors.ts';
import type { Digest } from '../signer.ts';
import type { Pkcs11Uri } from './uri.ts';

/** What a search may say: all of a URI but the PIN, which crosses to the module's process only when it is asked for. */
export type Search = Omit<Pkcs11Uri, 'pinValue' | 'pinSource' | 'modulePath' | 'moduleName'>;

export interface FoundCertificate {
  readonly der: Uint8Array;
  /** The complete URI: of its token, id and label. */
  readonly uri: string;
  /** Which slot it is in, to be handed back. */
  readonly slot: string;
  /** Whether it is one that was looked for; the others are in the same slots. */
  readonly matches: boolean;
}

export interface FoundKey {
  /** To be handed back. */
  readonly slot: string;
  readonly handle: Uint8Array;
  readonly uri: string;
  /** CKK_… */
  readonly keyType: number;
  /** SubjectPublicKeyInfo, DER; undefined when the token does not tell. */
  readonly publicKey: Uint8Array | undefined;
}

/** What the module's process is asked for, one request at a time. */
export interface Requests {
  load: { readonly params: { readonly library: string }; readonly result: undefined };
  /** Logs in only when nothing matches and one token alone is in question. */
  certificates: {
    readonly params: { readonly search: Search; readonly slots?: readonly string[] };
    readonly result: readonly FoundCertificate[];
  };
  /** The private keys that match; logs in where they hide without it. */
  keys: {
    readonly params: {
      readonly search: Search;
      readonly slots?: readonly string[];
      /** What was asked for, for messages, when `search` says less: a certificate whose key is looked for. */
      readonly wanted?: Search;
      /** Of which the key must have one; empty when that is not known. */
      readonly publicKeys: readonly Uint8Array[];
    };
    readonly result: readonly FoundKey[];
  };
  sign: {
    readonly params: {
      readonly key: FoundKey;
      readonly publicKey: Uint8Array;
      readonly message: Uint8Array;
      readonly digest: Digest;
    };
    readonly result: Uint8Array;
  };
  /** Closes the sessions, finalizes the module and ends the process. */
  close: { readonly params: undefined; readonly result: undefined };
}

export type RequestName = keyof Requests;
export type Request = {
  [Name in RequestName]: { name: Name; params: Requests[Name]['params'] };
}[RequestName];

export interface PinQuestion {
  /** The token, as a person would call it. */
  readonly token: string;
  /** `login` to the token, or for one signature with a key that asks each time (CKA_ALWAYS_AUTHENTICATE). */
  readonly purpose: 'login' | 'signature';
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  /** The token went away or forgot us, or the module is confused: opening it again may help. */
  readonly lost: boolean;
}

export type ToHost = { readonly request: Request } | { readonly pin: string } | { readonly noPin: true };

export type FromHost =
  | { readonly result: unknown }
  | { readonly failure: Failure }
  | { readonly question: PinQuestion }
  /** The module's function that is called now; `patient` where it waits for a person. */
  | { readonly call: string; readonly patient: boolean }
  | { readonly warning: string; readonly hint?: string }
  | { readonly debug: string };
