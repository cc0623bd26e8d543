import { resolve } from 'node:path';
import { describeFailure } from '../../credentials/failure.ts';
import { Refresher } from '../../credentials/refresher.ts';
import { wholeSeconds } from '../../credentials/whole-seconds.ts';
import { shellQuoted } from '../../encoding/shell.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { ListenAddress } from '../../runtime/listen.ts';
import { connectToServiceManager, inheritedSocket } from '../../runtime/service-manager.ts';
import { containerPath, readContainerToken } from '../../serve/container.ts';
import { startEndpoint } from '../../serve/endpoint.ts';
import type { Endpoint } from '../../serve/endpoint.ts';
import { Metrics } from '../../serve/metrics.ts';
import { atMost, daemonStop, ready } from '../daemon.ts';
import type { Reading } from '../fast-path.ts';
import { given } from '../given.ts';
import { harmless, logAs, print, stderrReporter } from '../output.ts';
import { sessionOptions } from '../session-options.ts';
import { commandSessions } from '../session-source.ts';
import { oneOf, wholeNumber } from '../values.ts';

/** Requests under way get the first, everything the second, to come to its end: together within 5 s. */
const grace = { requests: 2000, rest: 4000 };

/** Hands out credentials until SIGINT or SIGTERM; once it has some, nothing that fails ends it. */
export async function run({ values }: Reading<'serve'>): Promise<void> {
  logAs(oneOf('log-format', values['log-format'], ['text', 'json']));
  const log = stderrReporter(values.debug);
  const hopLimit = wholeNumber('hop-limit', values['hop-limit'], 1, 255);
  const address = listenAddress(values.bind, wholeNumber('port', values.port, 0, 65_535));
  const options = sessionOptions(values, log);
  const tokenFile = values['container-token-file'];
  const containerToken = tokenFile === undefined ? undefined : readContainerToken(tokenFile);

  const stopped = daemonStop();
  const metrics = new Metrics(new Date());
  const manager = await connectToServiceManager(log);
  const refresher = new Refresher({
    source: await commandSessions(values, options, log, { triesAgain: true }),
    reporter: log,
    observer: {
      opened({ credentials }, seconds) {
        metrics.opened(seconds);
        const until = `credentials until ${wholeSeconds(credentials.expiration)}`;
        log.note(until);
        manager.notify(`STATUS=${until}`);
      },
      failed(error) {
        metrics.failed(error);
        manager.notify(`STATUS=cannot refresh: ${harmless(describeFailure(error).message)}`);
      },
    },
  });
  let endpoint: Endpoint | undefined;
  try {
    // Before anything is asked of a key or the service: the port may be taken.
    endpoint = await startEndpoint(
      given({
        keeper: refresher,
        metrics,
        roleArn: options.session.role.text,
        address,
        hopLimit,
        containerToken,
        reporter: log,
        reportsRequests: values.debug,
      }),
    );
    const started = await Promise.race([refresher.start(), stopped]);
    if (started === undefined) return;
    log.note(`listening on ${endpoint.name}`);
    print(exportLines(endpoint, tokenFile));
    ready(manager, () => refresher.refresh());
    await stopped;
  } finally {
    manager.notify('STOPPING=1');
    await atMost(
      grace.rest,
      Promise.allSettled([endpoint?.close(grace.requests), refresher[Symbol.asyncDispose]()]),
    );
  }
}

/** One address, or the socket that the service manager made. */
function listenAddress(bind: string, port: number): ListenAddress {
  const fd = inheritedSocket();
  if (fd !== undefined) return { fd };
  const [, path] = /^unix:(.*)$/s.exec(bind) ?? [];
  if (path === '')
    throw new RolesAnywhereError('INVALID_ARGUMENT', '--bind unix: lacks the path of the socket');
  if (path !== undefined) return { path };
  return { host: bind.replace(/^\[(.*)\]$/, '$1'), port };
}

/** What makes the AWS CLI and the SDKs ask here; none of them can be sent to a unix socket. */
function exportLines({ url }: Endpoint, tokenFile: string | undefined): string {
  if (url === undefined) return '';
  const lines =
    tokenFile === undefined
      ? // Its slash at the end is for AWS CLI 2.9, which puts none between this and the path.
        [`AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}/`]
      : [
          `AWS_CONTAINER_CREDENTIALS_FULL_URI=${url}${containerPath}`,
          `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=${quoted(resolve(tokenFile))}`,
        ];
  return lines.map((line) => `export ${line}\n`).join('');
}

/** In quotes only where it takes them. */
function quoted(text: string): string {
  return /^[\w/.:@-]+$/.test(text) ? text : shellQuoted(text);
}
