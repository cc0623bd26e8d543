/**
 * Bytes that are not what their format says. Whoever reads them knows whether they were to be a certificate or a
 * key, and turns this into a RolesAnywhereError with that code: this error never leaves the package.
 */
export class EncodingError extends Error {
  override readonly name: string = 'EncodingError';
}

/** Well-formed bytes that ask for what we do not have: the message is its name alone, such as `RC4`. */
export class UnsupportedEncodingError extends EncodingError {
  override readonly name = 'UnsupportedEncodingError';
}
