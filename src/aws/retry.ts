/** The error codes that mean "too fast", whatever the status (AWS SDKs and Tools Reference Guide, "Retry behavior"). */
const throttlingCodes = new Set([
  'BandwidthLimitExceeded',
  'EC2ThrottledException',
  'LimitExceededException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'TransactionInProgressException',
]);

export function isThrottling(code: string | undefined): boolean {
  return code !== undefined && throttlingCodes.has(code);
}

const base = 250;
const longest = 5_000;

/**
 * Milliseconds to wait before an attempt (the second is the first that waits): full jitter, as in the AWS
 * Architecture Blog's "Exponential Backoff And Jitter".
 *
 * @param random from 0 to 1
 */
export function backoff(attempt: number, random: number): number {
  return random * Math.min(longest, base * 2 ** (attempt - 2));
}

/** What Retry-After asks for, in milliseconds: seconds or a date (RFC 9110, section 10.2.3). At most 20 s are heeded. */
export function retryAfter(header: string | undefined, now: Date): number {
  if (header === undefined) return 0;
  const wait = /^\d+$/u.test(header) ? Number(header) * 1000 : Date.parse(header) - now.getTime();
  return Number.isNaN(wait) ? 0 : Math.min(Math.max(wait, 0), 20_000);
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
