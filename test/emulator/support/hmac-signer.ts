// A request signer straight from "Create a signed AWS API request" of the IAM User Guide, in which every step can be
// spoilt. Shares nothing with src.
import { createHash, createHmac } from 'node:crypto';
import { expect } from 'vitest';
import type { RawAnswer } from './exchange.ts';
import { noon } from './pki.ts';
import type { Headers, RawRequest } from './x509-signer.ts';
import { timestamp } from './x509-signer.ts';

export interface SessionKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

export interface HmacSteps {
  readonly method?: string;
  readonly query?: string;
  readonly body?: string;
  readonly contentType?: string;
  /** `X-Amz-Target` of a JSON service. */
  readonly target?: string;
  readonly date?: Date;
  readonly scope?: string;
  readonly algorithm?: string;
  /** Headers that are sent and not signed, and one that is not sent. */
  readonly unsigned?: readonly string[];
  readonly without?: string;
}

/** What CreateSession answered. */
export function readSessionKeys({ body }: RawAnswer): SessionKeys {
  const answer = JSON.parse(body) as { credentialSet: readonly { credentials: SessionKeys }[] };
  const [set] = answer.credentialSet;
  const { accessKeyId, secretAccessKey, sessionToken } = set?.credentials ?? expect.unreachable();
  return { accessKeyId, secretAccessKey, sessionToken };
}

export function hmacRequest(
  { accessKeyId, secretAccessKey, sessionToken }: SessionKeys,
  { host, service }: { readonly host: string; readonly service: string },
  steps: HmacSteps,
): RawRequest {
  const { method = 'POST', query = '', body = '' } = steps;
  const date = timestamp(steps.date ?? noon);
  const scope = steps.scope ?? `${date.slice(0, 8)}/us-east-1/${service}/aws4_request`;
  const headers: Headers = (
    [
      ['content-type', steps.contentType ?? 'application/x-www-form-urlencoded; charset=utf-8'],
      ['host', host],
      ['x-amz-date', date],
      ['x-amz-security-token', sessionToken],
      ...(steps.target === undefined ? [] : [['x-amz-target', steps.target] as const]),
    ] as const
  ).filter(([name]) => name !== steps.without);
  const covered = headers.filter(([name]) => !(steps.unsigned ?? []).includes(name));
  const names = covered.map(([name]) => name).join(';');
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const canonical = [
    method,
    '/',
    query,
    ...covered.map((pair) => pair.join(':')),
    '',
    names,
    sha256(body),
  ].join('\n');
  const algorithm = steps.algorithm ?? 'AWS4-HMAC-SHA256';
  const key = scope
    .split('/')
    .reduce<string | Buffer>(
      (last, part) => createHmac('sha256', last).update(part).digest(),
      `AWS4${secretAccessKey}`,
    );
  const signature = createHmac('sha256', key)
    .update([algorithm, date, scope, sha256(canonical)].join('\n'))
    .digest('hex');
  const authorization = `${algorithm} Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return {
    method,
    target: query === '' ? '/' : `/?${query}`,
    headers: [...headers, ['authorization', authorization]],
    body,
  };
}

/** What an element of an XML answer holds, each time that it stands there; the five entities are undone. */
export function xmlTexts({ body }: RawAnswer, name: string): string[] {
  const entities = new Map([
    ['lt', '<'],
    ['gt', '>'],
    ['amp', '&'],
    ['quot', '"'],
    ['apos', "'"],
  ]);
  return [...body.matchAll(new RegExp(`<${name}>([^<>]*)</${name}>`, 'g'))].map(([, text = '']) =>
    text.replace(/&(\w+);/g, (entity, name: string) => entities.get(name) ?? entity),
  );
}
