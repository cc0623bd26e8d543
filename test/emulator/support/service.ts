import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Emulator, EmulatorOptions, RequestLogEntry } from '../../../src/emulator/emulator.ts';
import { startEmulator } from '../../../src/emulator/emulator.ts';
import type { RawAnswer } from './exchange.ts';
import { send } from './exchange.ts';
import type { Issued } from './pki.ts';
import { noon, pem } from './pki.ts';
import type { RawRequest, SigningSteps } from './x509-signer.ts';
import { signedRequest } from './x509-signer.ts';

/** An emulator at {@link noon} whose trust anchors are the given certificates, and its request log. */
export class TestService implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly log: RequestLogEntry[];
  readonly #directory: string;
  /** The service's clock. */
  time = noon;

  static async start(anchors: readonly Issued[], options: EmulatorOptions = {}): Promise<TestService> {
    const directory = await mkdtemp(join(tmpdir(), 'emulator-'));
    const file = join(directory, 'anchors.pem');
    await writeFile(file, anchors.map((anchor) => pem(anchor)).join(''));
    const log: RequestLogEntry[] = [];
    const clock: { now: () => Date } = { now: () => noon };
    const emulator = await startEmulator({
      trustAnchors: [file],
      onRequest: (entry) => log.push(entry),
      now: () => clock.now(),
      ...options,
    });
    const service = new TestService(emulator, log, directory);
    clock.now = () => service.time;
    return service;
  }

  private constructor(emulator: Emulator, log: RequestLogEntry[], directory: string) {
    this.emulator = emulator;
    this.log = log;
    this.#directory = directory;
  }

  get host(): string {
    return new URL(this.emulator.endpoint).host;
  }

  /** The three ARNs as a query string, sorted and escaped. */
  query(change: Readonly<Record<string, string>> = {}): string {
    const { profileArn, roleArn, trustAnchorArn } = this.emulator;
    return Object.entries({ profileArn, roleArn, trustAnchorArn, ...change })
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join('&');
  }

  /** A signed CreateSession request that is right but for the steps given. */
  request(steps: Omit<SigningSteps, 'host'>): RawRequest {
    return signedRequest({ host: this.host, query: this.query(), ...steps });
  }

  async send(request: RawRequest): Promise<RawAnswer & { readonly why: string }> {
    const seen = this.log.length;
    const answer = await send(this.emulator.endpoint, request);
    return { ...answer, why: this.log[seen]?.why ?? '' };
  }

  createSession(steps: Omit<SigningSteps, 'host'>): Promise<RawAnswer & { readonly why: string }> {
    return this.send(this.request(steps));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.emulator.close();
    await rm(this.#directory, { recursive: true });
  }
}
