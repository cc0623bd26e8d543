import { RolesAnywhereError } from '../errors.ts';
import { TransportError } from '../runtime/exchange.ts';
import { hostOf, proxyVariable } from './proxy.ts';
import { isUnknownAuthority } from './trust.ts';

/** A failed exchange in our words, and whether to try again. */
export interface Failure {
  readonly error: RolesAnywhereError;
  readonly retry: boolean;
  /** The authority of the other side's certificate is not among those we know. */
  readonly unknownAuthority: boolean;
}

/** What the runtime's and the transport's error codes mean to the user. */
export function explainFailure(cause: unknown, url: URL, proxy: URL | undefined): Failure {
  const code = errorCode(cause);
  const host = url.host;
  const variable = proxyVariable(url);
  const way = proxy === undefined ? host : `${host} through the proxy ${proxy.host}`;
  // With an https proxy there are two certificates, and the error does not tell whose it was.
  const peer = proxy?.protocol === 'https:' ? `${host} or the proxy ${proxy.host}` : host;
  const make = (
    name: RolesAnywhereError['code'],
    message: string,
    hint?: string,
    retry = false,
  ): Failure => ({
    // Without the cause: undici's errors may carry the request and its headers.
    error: new RolesAnywhereError(name, message, hint === undefined ? {} : { hint }),
    retry,
    unknownAuthority: isUnknownAuthority(code),
  });

  if (cause instanceof TransportError && cause.code === 'PROXY_REFUSED') {
    const status = cause.status ?? 0;
    const via = proxy?.host ?? '';
    const hint =
      status === 407
        ? "the proxy wants a user name and password: put them into the proxy's URL, percent-encoded"
        : `ask whoever runs the proxy to let ${host} through, or go direct with --no-proxy or NO_PROXY`;
    return make(
      'PROXY_FAILED',
      `the proxy ${via} refused to connect to ${host} with status ${status}`,
      hint,
      status >= 500,
    );
  }
  if (isUnknownAuthority(code)) {
    return make(
      'TLS_UNTRUSTED',
      `the certificate of ${peer} comes from an authority that is not trusted here (${String(code)})`,
      'name the authority with --ca-bundle FILE or AWS_CA_BUNDLE; a company proxy that opens TLS has its own',
    );
  }
  switch (code) {
    case 'CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return make(
        'SERVICE_TIMEOUT',
        `no connection to ${way} in time`,
        `check the network, firewalls and whether a proxy is needed (${variable})`,
        true,
      );
    case 'ANSWER_TIMEOUT':
      return make('SERVICE_TIMEOUT', `${host} took the request but did not answer in time`, undefined, true);
    case 'NO_ANSWER':
      return make(
        'SERVICE_TIMEOUT',
        `no answer from ${way} in time`,
        `check the network, firewalls and whether a proxy is needed (${variable})`,
        true,
      );
    case 'ANSWER_TOO_LARGE':
      return make(
        'SERVICE_FAILED',
        `${host} sent more than any answer of the service can hold`,
        notTheService,
      );
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return make('TLS_UNTRUSTED', `the certificate of ${peer} is for other host names`, notTheService);
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return make(
        'TLS_UNTRUSTED',
        `the certificate of ${peer} ${code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet'}`,
        "check this machine's clock; if it is right, the certificate must be renewed there",
      );
    case 'ECONNREFUSED':
      return proxy === undefined
        ? make('SERVICE_UNREACHABLE', `nothing listens at ${host}`, 'check --endpoint and firewalls', true)
        : make(
            'PROXY_FAILED',
            `nothing listens at the proxy ${proxy.host}`,
            `check ${variable} or go direct with --no-proxy`,
            true,
          );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return make(
        proxy === undefined ? 'SERVICE_UNREACHABLE' : 'PROXY_FAILED',
        `${hostOf(proxy ?? url)} has no address (${code})`,
        code === 'EAI_AGAIN'
          ? 'the name server does not answer: check the network'
          : `check the ${proxy === undefined ? 'region and --endpoint' : "proxy's URL"} for a typing error, and the name server`,
        code === 'EAI_AGAIN',
      );
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
    case 'UND_ERR_SOCKET':
      return make(
        proxy === undefined ? 'SERVICE_UNREACHABLE' : 'PROXY_FAILED',
        `the connection to ${way} failed (${code})`,
        `check the network, firewalls and whether a proxy is needed (${variable})`,
        true,
      );
    default:
  }
  if (code !== undefined && verificationResult.test(code)) {
    return make('TLS_UNTRUSTED', `the certificate of ${peer} is not acceptable (${code})`, notTheService);
  }
  if (code === 'EPROTO' || code?.startsWith('ERR_SSL_') === true) {
    return make(
      'SERVICE_UNREACHABLE',
      `no TLS connection with ${peer} (${code})`,
      'the other side must speak TLS 1.2 or better; one that speaks plain HTTP needs an http:// URL',
    );
  }
  if (code?.startsWith('HPE_') === true || code?.startsWith('UND_ERR_') === true) {
    return make('SERVICE_FAILED', `${way} did not answer in HTTP (${code})`, notTheService);
  }
  return make('SERVICE_UNREACHABLE', `no exchange with ${way}${code === undefined ? '' : ` (${code})`}`);
}

/** The rest of OpenSSL's verification results, by Node's names for them. */
const verificationResult =
  /^(?!ERR_).*(?:CERT|CRL)|^UNABLE_TO_|^INVALID_|^PATH_LENGTH_|^HOSTNAME_|^UNSPECIFIED$/u;

const notTheService = 'this may not be the AWS service: check --endpoint, proxies and name resolution';

/** The code of an error or of the one that it wraps. */
function errorCode(cause: unknown): string | undefined {
  for (let error = cause, depth = 0; error instanceof Error && depth < 3; error = error.cause, depth += 1) {
    // undici's parser has no code of its own for most of what it finds.
    const code = error.name === 'HTTPParserError' ? 'HPE_INVALID' : (error as NodeJS.ErrnoException).code;
    if (code?.startsWith('UND_ERR_') === true && error.cause instanceof Error) continue;
    if (typeof code === 'string') return code;
  }
  return undefined;
}
