import { wholeSeconds } from '../credentials/whole-seconds.ts';
import { reasonOfFailure } from './held-documents.ts';
import type { Keeper } from './held-documents.ts';
import type { Metrics } from './metrics.ts';
import type { Resource } from './resource.ts';
import { content, jsonAnswer } from './resource.ts';

/** `/healthz`: 200 while there are credentials, else 503; and, either way, why there are no newer ones. */
export function healthResource(keeper: Pick<Keeper, 'state'>): Resource {
  return {
    name: '/healthz',
    method: 'GET',
    answer() {
      const { session, failure } = keeper.state;
      return jsonAnswer(session === undefined ? 503 : 200, {
        status: session === undefined ? 'unavailable' : 'ok',
        expiration: session && wholeSeconds(session.credentials.expiration),
        reason: failure && reasonOfFailure(failure.error),
        failingSince: failure && wholeSeconds(failure.since),
        failedAttempts: failure?.attempts,
      });
    },
  };
}

const openMetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export function metricsResource(metrics: Metrics, keeper: Pick<Keeper, 'state'>): Resource {
  return {
    name: '/metrics',
    method: 'GET',
    answer: () => ({ status: 200, content: content(openMetrics, metrics.render(keeper.state)) }),
  };
}
