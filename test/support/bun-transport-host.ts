// Runs on Bun: see bun-transport.ts.
import { exchange } from '../../src/runtime/bun/transport.ts';
import { TransportError } from '../../src/runtime/exchange.ts';
import type { Exchange } from '../../src/runtime/exchange.ts';
import type { Outcome } from './bun-transport.ts';

interface Message {
  readonly id: number;
  readonly request: Exchange & { readonly url: string; readonly proxy?: string };
}

process.on('message', ({ id, request }: Message) => {
  const { url, proxy, ...others } = request;
  const made = { ...others, url: new URL(url), ...(proxy !== undefined && { proxy: new URL(proxy) }) };
  exchange(made).then(
    (answer) => {
      tell({ id, answer });
    },
    (error: unknown) => {
      const { message, code, status } = error as TransportError;
      const isTransportError = error instanceof TransportError;
      tell({ id, error: { isTransportError, message, code, status } });
    },
  );
});
process.on('disconnect', () => process.exit());

function tell(outcome: Outcome): void {
  process.send?.(outcome);
}
