/** One line of the request log: an answered or refused request. It holds no key, token or signature. */
export interface RequestLogEntry {
  readonly ok: boolean;
  /** `CreateSession`, `RedshiftServerless.GetWorkgroup` and so on, or `unknown` where no operation could be told. */
  readonly operation: string;
  /** The HTTP status; 0 where the connection ended without an answer. */
  readonly status: number;
  readonly requestId: string;
  /** Why it was refused, in more exact words than the caller gets. */
  readonly why?: string;
  readonly [detail: string]: unknown;
}
