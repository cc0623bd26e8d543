import { RolesAnywhereError } from '../errors.ts';

/** Where bytes are read from: what every key and certificate option takes. */
export type SourceReference =
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'stdin' }
  | { readonly type: 'environment'; readonly name: string }
  | { readonly type: 'descriptor'; readonly descriptor: number };

/** What `--private-key` may name. A new backend is one more member here and one case in `open.ts`. */
export type KeyReference = SourceReference | { readonly type: 'pkcs11' } | { readonly type: 'tpm' };

/**
 * Reads a reference as it stands on the command line: a path, `-`, `env:NAME`, `fd:N`, a `pkcs11:` URI (RFC 7512) or
 * `handle:0x81…`. A file whose name looks like one of these is reached as `./env:NAME`.
 *
 * @param option the option that it belongs to, for error messages
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function parseReference(text: string, option: string): KeyReference {
  const invalid = (why: string, hint?: string) =>
    new RolesAnywhereError('INVALID_ARGUMENT', `${option} ${why}`, hint === undefined ? {} : { hint });
  // The text may be a key itself: it must not reach a message, nor the file system.
  if (text.includes('-----BEGIN') || text.includes('\n')) {
    throw invalid(
      'holds PEM text where a file is expected',
      'put the text into an environment variable and pass env:NAME',
    );
  }
  if (text === '') throw invalid('is empty', 'a variable in the command may be unset');
  if (text === '-') return { type: 'stdin' };
  const [, scheme, rest = ''] = /^(env|fd|pkcs11|handle):(.*)$/.exec(text) ?? [];
  switch (scheme) {
    case 'env':
      if (rest === '') throw invalid('names no variable behind env:');
      return { type: 'environment', name: rest };
    case 'fd':
      if (!/^\d{1,6}$/.test(rest)) throw invalid('has no number behind fd:', 'write it as in fd:3');
      // The same stream by another name: both options may name it, and it can be read only once.
      return rest === '0' ? { type: 'stdin' } : { type: 'descriptor', descriptor: Number(rest) };
    case 'pkcs11':
      return { type: 'pkcs11' };
    case 'handle':
      return { type: 'tpm' };
    default:
      return { type: 'file', path: text };
  }
}
