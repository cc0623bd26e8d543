import { RolesAnywhereError } from '../errors.ts';
import type { ServiceErrorCode } from './service-error.ts';
import { isServiceErrorCode, ServiceError } from './service-error.ts';

/** What one request meets: it waits first, then it is answered with an error, or cut off, or served. */
interface Fate {
  readonly latencyMilliseconds: number;
  readonly failure: ServiceError | 'reset' | undefined;
}

/** The faults that an emulator was started with, used up request by request. */
export interface Faults {
  /** What the service's clock is ahead by: it dates answers and judges signatures and certificates by it. */
  readonly skewMilliseconds: number;
  next(): Fate;
}

type Fault =
  | { readonly kind: 'latency' | 'skew'; readonly milliseconds: number }
  | { readonly kind: 'failure'; readonly failure: ServiceError | 'reset'; readonly requests: number };

/**
 * Reads fault specifications: `throttle:N`, `error:CODE:N` (CODE: an HTTP status or the name of an AWS error),
 * `latency:MS`, `skew:SECONDS`, `reset:N`. N requests fail, one fault after the other in the order given, and those
 * that follow are served.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function parseFaults(specifications: readonly string[]): Faults {
  const faults = specifications.map(parseFault);
  const queue = faults.flatMap((fault) =>
    fault.kind === 'failure' ? [{ failure: fault.failure, left: fault.requests }] : [],
  );
  const total = (kind: Fault['kind']): number =>
    faults.reduce(
      (sum, fault) => (fault.kind === kind && fault.kind !== 'failure' ? sum + fault.milliseconds : sum),
      0,
    );
  const latencyMilliseconds = total('latency');
  return {
    skewMilliseconds: total('skew'),
    next: () => {
      const fault = queue.find(({ left }) => left > 0);
      if (fault !== undefined) {
        fault.left -= 1;
      }
      return { latencyMilliseconds, failure: fault?.failure };
    },
  };
}

function parseFault(specification: string): Fault {
  const [kind, ...values] = specification.split(':');
  const refuse = (what: string): RolesAnywhereError =>
    new RolesAnywhereError('INVALID_ARGUMENT', `fault '${specification}' ${what}`, {
      hint: 'write throttle:N, error:CODE:N, latency:MS, skew:SECONDS or reset:N',
    });
  const whole = (text: string | undefined, minimum: number, maximum: number): number => {
    const value = text !== undefined && /^[+-]?\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= minimum && value <= maximum)) {
      throw refuse(`needs a whole number from ${minimum} to ${maximum}`);
    }
    return value;
  };
  const expect = (count: number): void => {
    if (values.length !== count) {
      throw refuse(`needs ${count === 1 ? 'one value' : `${count} values`}`);
    }
  };
  const requests = (text: string | undefined): number => whole(text, 1, 1_000_000);
  switch (kind) {
    case 'throttle':
      expect(1);
      return {
        kind: 'failure',
        failure: new ServiceError('ThrottlingException', 'Rate exceeded', 'fault: throttle'),
        requests: requests(values[0]),
      };
    case 'reset':
      expect(1);
      return { kind: 'failure', failure: 'reset', requests: requests(values[0]) };
    case 'error': {
      expect(2);
      const failure = namedFailure(values[0] ?? '');
      if (failure === undefined) {
        throw refuse(
          'needs an HTTP status from 400 to 599 or the name of an AWS error, such as AccessDeniedException',
        );
      }
      return { kind: 'failure', failure, requests: requests(values[1]) };
    }
    case 'latency':
      expect(1);
      return { kind: 'latency', milliseconds: whole(values[0], 0, 3_600_000) };
    case 'skew':
      expect(1);
      return { kind: 'skew', milliseconds: whole(values[0], -1_000_000_000, 1_000_000_000) * 1000 };
    default:
      throw refuse('is of no known kind');
  }
}

/** What an error of that HTTP status is called where it is neither bad input nor a failure of the service. */
const statusNames: ReadonlyMap<string, ServiceErrorCode> = new Map([
  ['403', 'AccessDeniedException'],
  ['404', 'ResourceNotFoundException'],
  ['429', 'ThrottlingException'],
  ['503', 'ServiceUnavailableException'],
]);

function namedFailure(code: string): ServiceError | undefined {
  const message = 'The emulator was told to fail.';
  if (isServiceErrorCode(code)) {
    return new ServiceError(code, message, `fault: error ${code}`);
  }
  if (!/^[45]\d\d$/.test(code)) {
    return undefined;
  }
  const name = statusNames.get(code) ?? (code < '500' ? 'ValidationException' : 'InternalServerException');
  return new ServiceError(name, message, `fault: error ${code}`, Number(code));
}
