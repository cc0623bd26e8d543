import type { RefresherState } from '../credentials/refresher.ts';
import { RolesAnywhereError } from '../errors.ts';
import { version } from '../runtime/version.ts';

/** Upper bounds in seconds: from a service nearby to one that is tried until the time limit. */
const buckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * What the server counts, written as OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/). No
 * label holds anything that a client sent.
 */
export class Metrics {
  readonly #started: Date;
  readonly #failures = new Map<string, number>();
  /** By resource and status: nested, for every request counts here. */
  readonly #requests = new Map<string, Map<number, number>>();
  readonly #openings = { count: 0, sum: 0, upTo: buckets.map(() => 0) };

  constructor(started: Date) {
    this.#started = started;
  }

  opened(seconds: number): void {
    this.#openings.count += 1;
    this.#openings.sum += seconds;
    for (const [index, bound] of buckets.entries()) {
      if (seconds <= bound) this.#openings.upTo[index] = (this.#openings.upTo[index] ?? 0) + 1;
    }
  }

  failed(error: unknown): void {
    count(this.#failures, `code="${error instanceof RolesAnywhereError ? error.code : 'INTERNAL'}"`);
  }

  answered(name: string, status: number): void {
    let counts = this.#requests.get(name);
    if (counts === undefined) this.#requests.set(name, (counts = new Map<number, number>()));
    count(counts, status);
  }

  render({ session, failure }: RefresherState): string {
    const { count, sum, upTo } = this.#openings;
    const certificateEnd = session?.certificate?.notAfter;
    return [
      ...family('build', 'info', 'the version that runs', [['_info', `version="${version}"`, 1]]),
      ...family('start_time_seconds', 'gauge', 'when the process began to serve', [
        ['', '', seconds(this.#started)],
      ]),
      ...family('session_opening_seconds', 'histogram', 'sessions opened, and how long each took', [
        ...buckets.map((bound, index) => bucket(decimal(bound), upTo[index] ?? 0)),
        bucket('+Inf', count),
        ['_count', '', count],
        ['_sum', '', sum],
      ]),
      ...family('session_failures', 'counter', 'attempts to open a session that failed, by error code', [
        ...totals(this.#failures),
      ]),
      ...family('consecutive_failures', 'gauge', 'attempts that failed since the last that did not', [
        ['', '', failure?.attempts ?? 0],
      ]),
      ...family('credentials_valid', 'gauge', '1 while there are credentials to hand out', [
        ['', '', session === undefined ? 0 : 1],
      ]),
      ...family('credentials_expiration_timestamp_seconds', 'gauge', 'when the credentials end', [
        ...(session === undefined ? [] : [gauge(session.credentials.expiration)]),
      ]),
      ...family('certificate_expiration_timestamp_seconds', 'gauge', 'when the certificate ends', [
        ...(certificateEnd === undefined ? [] : [gauge(certificateEnd)]),
      ]),
      ...family('http_requests', 'counter', 'requests answered', requests(this.#requests)),
      '# EOF\n',
    ].join('\n');
  }
}

type Sample = readonly [suffix: string, labels: string, value: number];

function family(name: string, type: string, help: string, samples: readonly Sample[]): string[] {
  const full = `rolesanywhere_${name}`;
  return [
    `# TYPE ${full} ${type}`,
    ...(name.endsWith('_seconds') ? [`# UNIT ${full} seconds`] : []),
    `# HELP ${full} ${help}`,
    ...samples.map(
      ([suffix, labels, value]) => `${full}${suffix}${labels === '' ? '' : `{${labels}}`} ${value}`,
    ),
  ];
}

function requests(counts: ReadonlyMap<string, ReadonlyMap<number, number>>): Sample[] {
  return [...counts].flatMap(([name, byStatus]) =>
    [...byStatus].map(([status, value]): Sample => ['_total', `path="${name}",status="${status}"`, value]),
  );
}

function totals(counts: ReadonlyMap<string, number>): Sample[] {
  return [...counts].map(([labels, value]) => ['_total', labels, value]);
}

function bucket(bound: string, value: number): Sample {
  return ['_bucket', `le="${bound}"`, value];
}

function gauge(date: Date): Sample {
  return ['', '', seconds(date)];
}

function seconds(date: Date): number {
  return date.getTime() / 1000;
}

/** The canonical form of a bound has a point: `1.0`. */
function decimal(number: number): string {
  return Number.isInteger(number) ? number.toFixed(1) : String(number);
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
