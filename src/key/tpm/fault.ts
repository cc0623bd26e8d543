/** The TPM cannot be reached, is silent or answers what is no answer. Whoever asked knows what it was for. */
export class TpmFault extends Error {
  override readonly name = 'TpmFault';
  readonly hint: string | undefined;

  constructor(
    message: string,
    details: { readonly hint?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.hint = details.hint;
  }
}
