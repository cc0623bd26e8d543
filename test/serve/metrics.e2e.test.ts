import { describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../src/errors.ts';
import { Metrics } from '../../src/serve/metrics.ts';
import { runProgram } from '../support/command.ts';
import { openedSession } from '../support/sessions.ts';
import { requirePart } from '../support/system-parts.ts';

/** Prometheus's own strict parser: each sample as `name{labels}` and its value. */
const script = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
samples = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        labels = ','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))
        samples[f'{family.type} {family.unit} {sample.name} {labels}'] = sample.value
print(json.dumps(samples))`;

const parse = async (input: string): Promise<Record<string, number>> => {
  const { code, stdout, stderr } = await runProgram(requirePart('prometheus'), ['-c', script], { input });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, number>;
};

describe('the metrics, as Prometheus reads them', () => {
  it('are whole before anything happened', async () => {
    const samples = await parse(new Metrics(new Date(1_900_000_000_000)).render({}));
    expect(samples).toMatchObject({
      'gauge seconds rolesanywhere_start_time_seconds ': 1_900_000_000,
      'gauge  rolesanywhere_credentials_valid ': 0,
      'histogram seconds rolesanywhere_session_opening_seconds_count ': 0,
    });
  });

  it('count sessions, failures and requests, and say when things end', async () => {
    const opened = new Date('2030-01-01T00:00:00Z');
    const session = {
      ...openedSession({ opened, lifeSeconds: 900 }),
      certificate: {
        notBefore: opened,
        notAfter: new Date('2031-01-01T00:00:00Z'),
        serialNumber: 1n,
        subject: new Uint8Array(),
      },
    };
    const metrics = new Metrics(opened);
    metrics.opened(0.25);
    metrics.opened(7);
    metrics.opened(100);
    metrics.failed(new RolesAnywhereError('SERVICE_REFUSED', 'no'));
    metrics.failed(new RolesAnywhereError('SERVICE_REFUSED', 'no'));
    metrics.failed(new Error('a "defect"\n'));
    metrics.answered('/latest/meta-data/iam/security-credentials/{role}', 200);
    const text = metrics.render({
      session,
      failure: { error: new Error('no'), since: opened, attempts: 2 },
    });
    const bucket = 'histogram seconds rolesanywhere_session_opening_seconds_bucket le=';
    expect(await parse(text)).toMatchObject({
      [`${bucket}0.1`]: 0,
      [`${bucket}0.25`]: 1,
      [`${bucket}5.0`]: 1,
      [`${bucket}10.0`]: 2,
      [`${bucket}60.0`]: 2,
      [`${bucket}+Inf`]: 3,
      'histogram seconds rolesanywhere_session_opening_seconds_sum ': 107.25,
      'counter  rolesanywhere_session_failures_total code=SERVICE_REFUSED': 2,
      'counter  rolesanywhere_session_failures_total code=INTERNAL': 1,
      'gauge  rolesanywhere_consecutive_failures ': 2,
      'gauge  rolesanywhere_credentials_valid ': 1,
      'gauge seconds rolesanywhere_credentials_expiration_timestamp_seconds ': opened.getTime() / 1000 + 900,
      'gauge seconds rolesanywhere_certificate_expiration_timestamp_seconds ': 1_924_992_000,
      'counter  rolesanywhere_http_requests_total path=/latest/meta-data/iam/security-credentials/{role},status=200': 1,
      'info  rolesanywhere_build_info version=development': 1,
    });
  });
});
