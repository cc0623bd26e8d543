/** The errors that the emulated services answer with, by their AWS names, and the HTTP status of each. */
const statuses = {
  // Roles Anywhere (its API reference, "Errors"), and what every restJson1 service may answer
  AccessDeniedException: 403,
  ResourceNotFoundException: 404,
  ValidationException: 400,
  ThrottlingException: 429,
  InternalServerException: 500,
  ServiceUnavailableException: 503,
  // STS ("Common errors" of its API reference)
  ExpiredToken: 403,
  IncompleteSignature: 400,
  InvalidAction: 400,
  InvalidClientTokenId: 403,
  MissingAuthenticationToken: 403,
  SignatureDoesNotMatch: 403,
  // HTTP itself
  BadRequestException: 400,
  UnknownOperationException: 404,
  RequestTimeoutException: 408,
  RequestEntityTooLargeException: 413,
  RequestHeaderFieldsTooLargeException: 431,
} as const satisfies Record<string, number>;

export type ServiceErrorCode = keyof typeof statuses;

export function isServiceErrorCode(text: string): text is ServiceErrorCode {
  return Object.hasOwn(statuses, text);
}

/** A refusal: what the caller is told, in the service's own words, and what the request log says beyond that. */
export class ServiceError extends Error {
  readonly code: ServiceErrorCode;
  readonly status: number;
  /** The exact reason, for the request log: the real services keep it to themselves. Never a secret. */
  readonly why: string;

  constructor(
    code: ServiceErrorCode,
    message: string,
    why: string = message,
    status: number = statuses[code],
  ) {
    super(message);
    this.code = code;
    this.status = status;
    this.why = why;
  }
}

export function accessDenied(message: string, why?: string): ServiceError {
  return new ServiceError('AccessDeniedException', message, why);
}
