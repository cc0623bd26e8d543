/** The errors that the emulated services answer with, by their AWS names, and the HTTP status of each. */
const statuses = {
  // Roles Anywhere (its API reference, "Errors"), and what every restJson1 service may answer
  AccessDeniedException: 403,
  ResourceNotFoundException: 404,
  ValidationException: 400,
  ThrottlingException: 429,
  InternalServerException: 500,
  ServiceUnavailableException: 503,
  // query services: STS and Redshift ("Common errors" of their API references)
  AccessDenied: 403,
  ExpiredToken: 403,
  IncompleteSignature: 400,
  InternalFailure: 500,
  InvalidAction: 400,
  InvalidClientTokenId: 403,
  InvalidParameterCombination: 400,
  InvalidParameterValue: 400,
  MissingAuthenticationToken: 403,
  MissingParameter: 400,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  Throttling: 400,
  ValidationError: 400,
  // Redshift (its API reference, GetClusterCredentials)
  ClusterNotFound: 404,
  UnsupportedOperation: 400,
  // JSON 1.1 services: Redshift Serverless ("Common errors" of its API reference)
  ExpiredTokenException: 400,
  IncompleteSignatureException: 400,
  InvalidSignatureException: 400,
  MissingAuthenticationTokenException: 400,
  SerializationException: 400,
  UnrecognizedClientException: 400,
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
  /** The HTTP status where it is not the one of the code. */
  readonly givenStatus: number | undefined;

  constructor(code: ServiceErrorCode, message: string, why: string = message, givenStatus?: number) {
    super(message);
    this.code = code;
    this.status = givenStatus ?? statuses[code];
    this.why = why;
    this.givenStatus = givenStatus;
  }

  /** The same refusal by the name that another service has for it. */
  as(code: ServiceErrorCode): ServiceError {
    return new ServiceError(code, this.message, this.why, this.givenStatus);
  }
}

export function accessDenied(message: string, why?: string): ServiceError {
  return new ServiceError('AccessDeniedException', message, why);
}
