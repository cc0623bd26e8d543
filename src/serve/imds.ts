import type { IncomingHttpHeaders } from 'node:http';
import type { Documents } from './documents.ts';
import { reasonOfFailure } from './held-documents.ts';
import type { HeldDocuments } from './held-documents.ts';
import type { Answer, Content, Resource } from './resource.ts';
import { jsonAnswer, textAnswer, textContent } from './resource.ts';
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
 *
 * @param roleArn IMDS knows the role by its name, without its path
 */
export function imdsResources(
  tokens: Tokens,
  held: HeldDocuments,
  roleArn: string,
): Readonly<Record<string, Resource>> {
  const withToken = (
    name: string,
    answer: (ttl: readonly string[], elapsed: number) => Answer | Promise<Answer>,
  ): Resource => ({
    name,
    method: 'GET',
    answer({ [tokenHeader]: token }, elapsed) {
      const left = typeof token === 'string' ? tokens.secondsLeft(token, elapsed) : undefined;
      if (left === undefined) {
        return textAnswer(401, 'a token is missing, unknown or expired: PUT /latest/api/token');
      }
      return answer([ttlHeader, String(left)], elapsed);
    },
  });
  /** Answers while there are credentials: at once when they are there. */
  const fromDocuments = (name: string, contentOf: (documents: Documents) => Content): Resource =>
    withToken(name, (headers, elapsed) => {
      const documents = held.get(elapsed);
      if (!(documents instanceof Promise)) return { status: 200, content: contentOf(documents), headers };
      return documents.then(
        (late) => ({ status: 200, content: contentOf(late), headers }),
        (error: unknown) => {
          const { code, message } = reasonOfFailure(error);
          return jsonAnswer(503, { Code: code, Message: message }, headers);
        },
      );
    });
  const notFound = (ttl: readonly string[]): Answer => textAnswer(404, 'not found', ttl);

  const role = roleArn.slice(roleArn.lastIndexOf('/') + 1);
  const roleName = textContent(role);
  const anyRole = `${credentialsPath}/{role}`;
  return {
    '/latest/api/token': {
      name: '/latest/api/token',
      method: 'PUT',
      answer: (headers, elapsed) => issueToken(tokens, headers, elapsed),
    },
    [credentialsPath]: fromDocuments(credentialsPath, () => roleName),
    [`${credentialsPath}/${role}`]: fromDocuments(anyRole, ({ imds }) => imds),
    [`${credentialsPath}/*`]: withToken(anyRole, notFound),
    '/latest/*': withToken('/latest/', notFound),
  };
}

function issueToken(tokens: Tokens, headers: IncomingHttpHeaders, elapsed: number): Answer {
  const text = headers[ttlHeader];
  const ttl = typeof text === 'string' && /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (ttl < 1 || ttl > longestTtl) {
    return textAnswer(400, `${ttlHeader} must be 1 to ${longestTtl} seconds`);
  }
  return textAnswer(200, tokens.issue(ttl, elapsed), [ttlHeader, String(ttl)]);
}
