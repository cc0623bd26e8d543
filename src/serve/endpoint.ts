import type { AddressInfo } from 'node:net';
import { silent } from '../reporter.ts';
import type { Reporter } from '../reporter.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Clock } from '../runtime/clock.ts';
import { setHopLimit, usualHopLimit } from '../runtime/hop-limit.ts';
import { listen, reachableHost, urlHost } from '../runtime/listen.ts';
import type { ListenAddress } from '../runtime/listen.ts';
import type { Secret } from '../secret.ts';
import { allowedHosts, isLoopback } from './allowed-hosts.ts';
import { containerPath, containerResource } from './container.ts';
import { healthResource, metricsResource } from './health.ts';
import { HeldDocuments } from './held-documents.ts';
import type { Keeper } from './held-documents.ts';
import { imdsResources } from './imds.ts';
import type { Metrics } from './metrics.ts';
import { cutOffAll, drain, makeServer } from './server.ts';
import { Tokens } from './tokens.ts';

export interface EndpointOptions {
  readonly keeper: Keeper;
  readonly metrics: Metrics;
  readonly roleArn: string;
  readonly address: ListenAddress;
  /** 1 to 255 */
  readonly hopLimit?: number;
  /** With it, container credentials are handed out too, to those who send it. */
  readonly containerToken?: Secret<Uint8Array>;
  readonly reporter?: Reporter;
  /** Whether every request is reported, as a step. */
  readonly reportsRequests?: boolean;
  readonly clock?: Clock;
}

export interface Endpoint {
  /** `http://127.0.0.1:9911` or `unix:/run/aws.sock`: what it listens on. */
  readonly name: string;
  /** Where clients on this machine find it, without a slash at the end; undefined on a unix socket. */
  readonly url: string | undefined;
  /** Ends: at once with those who ask nothing, within the grace with the others. */
  close(graceMilliseconds: number): Promise<void>;
}

/** The same complaint is not worth a line more often. */
const quietMilliseconds = 60_000;

/**
 * Listens, and answers with what the keeper holds.
 *
 * @throws RolesAnywhereError PORT_UNAVAILABLE
 */
export async function startEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const { keeper, metrics, roleArn, address, reporter = silent, clock = systemClock } = options;
  const held = new HeldDocuments(keeper, roleArn, clock);
  const onRefusal = occasionally(clock, (why) => {
    reporter.warn(`refused ${why}`);
  });
  let isAllowedHost: (host: string) => boolean = () => false;
  const server = makeServer({
    resources: {
      ...imdsResources(new Tokens(), held, roleArn),
      '/healthz': healthResource(keeper),
      '/metrics': metricsResource(metrics, keeper),
      ...(options.containerToken && {
        [containerPath]: containerResource(options.containerToken, held, onRefusal),
      }),
    },
    isAllowedHost: (host) => isAllowedHost(host),
    elapsed: () => clock.elapsed(),
    onRefusal,
    onAnswer: (name, method, status) => {
      metrics.answered(name, status);
      if (options.reportsRequests === true) reporter.debug(`${method} ${name}: ${status}`);
    },
  });
  await listen(server, address);
  const { hopLimit = usualHopLimit } = options;
  const bound = server.address();
  const tcp = typeof bound === 'object' && bound !== null ? bound : undefined;
  isAllowedHost = allowedHosts('host' in address ? address.host : undefined, tcp);
  const close = (grace: number): Promise<void> => drain(server, grace);
  try {
    if (hopLimit !== usualHopLimit) {
      await setHopLimit(server, hopLimit);
      await cutOffAll(server);
    }
  } catch (error) {
    await close(0);
    throw error;
  }
  if (tcp !== undefined && !isLoopback(tcp.address)) {
    reporter.warn(
      `${tcp.address} can be reached from other machines, and whoever reaches it gets the credentials`,
      'bind to 127.0.0.1, ::1 or unix:PATH',
    );
  }
  return {
    name:
      tcp === undefined
        ? 'path' in address
          ? `unix:${address.path}`
          : 'the inherited socket'
        : url(urlHost(tcp.address), tcp),
    url: tcp && url(reachableHost(tcp), tcp),
    close,
  };
}

function url(host: string, { port }: AddressInfo): string {
  return `http://${host}:${port}`;
}

/** Calls at most once in a while for each different text. */
function occasionally(clock: Clock, tell: (text: string) => void): (text: string) => void {
  const last = new Map<string, number>();
  return (text) => {
    const now = clock.elapsed();
    if (now - (last.get(text) ?? Number.NEGATIVE_INFINITY) < quietMilliseconds) return;
    last.set(text, now);
    tell(text);
  };
}
