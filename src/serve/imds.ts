import type { IncomingHttpHeaders } from 'node:http';
import type { Documents } from './documents.ts';
import { reasonOfFailure } from './held-documents.ts';
import type { HeldDocuments } from './held-documents.ts';
import type { Answer, Resource } from './resource.ts';
import { jsonAnswer, textAnswer } from './resource.ts';
import type { Tokens } from './tokens.ts';

const ttlHeader = 'x-aws-ec2-metadata-token-ttl-seconds';
const tokenHeader = 'x-aws-ec2-metadata-token';
const longestTtl = 21_600;

const credentialsPath = '/latest/meta-data/iam/security-credentials';

/**
 * The part of the EC2 instance metadata service, version 2, that hands out credentials: resources by their path, where
 * `*` stands for what is left of it.
 *
 * "Use the Instance Metadata Service to access instance metadata", Amazon EC2 User Guide.
 */
export function imdsResources(tokens: Tokens, held: HeldDocuments): Readonly<Record<string, Resource>> {
  const withToken = (
    name: string,
    answer: (ttl: readonly string[], rest: string) => Answer | Promise<Answer>,
  ): Resource => ({
    name,
    method: 'GET',
    answer(headers, rest) {
      const token = headers[tokenHeader];
      const left = typeof token === 'string' ? tokens.secondsLeft(token) : undefined;
      if (left === undefined) {
        return textAnswer(401, 'a token is missing, unknown or expired: PUT /latest/api/token');
      }
      return answer([ttlHeader, String(left)], rest);
    },
  });
  /** Answers from the documents: at once when they are there. */
  const fromDocuments = (
    ttl: readonly string[],
    answer: (documents: Documents) => Answer,
  ): Answer | Promise<Answer> => {
    const documents = held.get();
    if (!(documents instanceof Promise)) return answer(documents);
    return documents.then(answer, (error: unknown) => {
      const { code, message } = reasonOfFailure(error);
      return jsonAnswer(503, { Code: code, Message: message }, ttl);
    });
  };

  return {
    '/latest/api/token': {
      name: '/latest/api/token',
      method: 'PUT',
      answer: (headers) => issueToken(tokens, headers),
    },
    [credentialsPath]: withToken(credentialsPath, (ttl) =>
      fromDocuments(ttl, (documents) => textAnswer(200, documents.role, ttl)),
    ),
    [`${credentialsPath}/*`]: withToken(`${credentialsPath}/{role}`, (ttl, rest) =>
      fromDocuments(ttl, (documents) =>
        rest === documents.role ? textAnswer(200, documents.imds, ttl) : notFound(ttl),
      ),
    ),
    '/latest/*': withToken('/latest/', notFound),
  };
}

function notFound(ttl: readonly string[]): Answer {
  return textAnswer(404, 'not found', ttl);
}

function issueToken(tokens: Tokens, headers: IncomingHttpHeaders): Answer {
  const text = headers[ttlHeader];
  const ttl = typeof text === 'string' && /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (ttl < 1 || ttl > longestTtl) {
    return textAnswer(400, `${ttlHeader} must be 1 to ${longestTtl} seconds`);
  }
  return textAnswer(200, tokens.issue(ttl), [ttlHeader, String(ttl)]);
}
