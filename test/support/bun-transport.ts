import { fork } from 'node:child_process';
import { resolve } from 'node:path';
import { fetchBun, hostTarget } from '../../scripts/bun/runtime.mjs';
import type { Answer, Exchange } from '../../src/runtime/exchange.ts';
import { TransportError } from '../../src/runtime/exchange.ts';
import type { TransportFailure } from '../../src/runtime/exchange.ts';

/** What bun-transport-host.ts answers. */
export type Outcome =
  | { readonly id: number; readonly answer: Answer }
  | {
      readonly id: number;
      readonly error: {
        readonly isTransportError: boolean;
        readonly message: string;
        readonly code: string | undefined;
        readonly status: number | undefined;
      };
    };

/** None of it may count. */
const env = {
  ...{ NODE_TLS_REJECT_UNAUTHORIZED: '0', NO_PROXY: '*', no_proxy: '*' },
  ...{
    HTTP_PROXY: 'http://127.0.0.1:1',
    HTTPS_PROXY: 'http://127.0.0.1:1',
    https_proxy: 'http://127.0.0.1:1',
  },
};

const waiting = new Map<number, (outcome: Outcome) => void>();
const host = fork(resolve('test/support/bun-transport-host.ts'), {
  execPath: (await fetchBun(hostTarget())).path,
  execArgv: [],
  env,
  // Not this worker's own, which vitest waits for: Bun ends a moment later than the worker.
  stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
});
let said = '';
host.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
host.on('message', (outcome: Outcome) => waiting.get(outcome.id)?.(outcome));
host.on('exit', () => {
  const error = {
    isTransportError: false,
    message: `Bun is gone: ${said}`,
    code: undefined,
    status: undefined,
  };
  for (const [id, done] of waiting) done({ id, error });
});
host.unref();

/**
 * The executable's transport, by a process of Bun: vitest.config.ts puts it in the place of src/runtime/transport.ts in
 * the project `exe`, so that the tests of that hold this one too.
 */
export async function exchange(request: Exchange): Promise<Answer> {
  const id = waiting.size;
  let done: (outcome: Outcome) => void;
  const answered = new Promise<Outcome>((resolve) => (done = resolve));
  waiting.set(id, (outcome) => {
    done(outcome);
  });
  host.send({ id, request: { ...request, url: request.url.href, proxy: request.proxy?.href } });
  const outcome = await answered;
  if ('answer' in outcome) return outcome.answer;
  const { isTransportError, message, code, status } = outcome.error;
  throw isTransportError
    ? new TransportError(code as TransportFailure, status)
    : Object.assign(new Error(message), { code });
}
