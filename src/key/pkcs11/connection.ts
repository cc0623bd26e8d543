import { RolesAnywhereError } from '../../errors.ts';
import type { Reporter } from '../../reporter.ts';
import { startChild } from '../../runtime/child.ts';
import type { Child } from '../../runtime/child.ts';
import { findHostScript } from '../../runtime/pkcs11-parts.ts';
import { toError } from './failure.ts';
import type { PinKeeper } from './pin.ts';
import type { Failure, FromHost, PinQuestion, Request, RequestName, Requests, ToHost } from './protocol.ts';

export interface ConnectionSettings {
  /** The module's path, as `findLibrary` gives it. */
  readonly library: string;
  readonly pins: PinKeeper;
  readonly reporter: Reporter;
  /** How long one function of the module may take. */
  readonly callSeconds: number;
  /** The script of the module's process; the built one by default. */
  readonly host?: string | undefined;
}

/** How long a person may take at a reader's keys: readers give up by themselves much sooner. */
const patientSeconds = 300;
const closeSeconds = 2;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: RolesAnywhereError) => void;
}

/**
 * A PKCS #11 module at work in a process of its own. A module is foreign code of every quality: in there it may
 * crash, hang or print without taking us along, and we can say what it was doing. It also hears when we end, even by
 * SIGKILL, and then closes its sessions.
 */
export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #child: Child;
  #pending: Pending | undefined;
  #timer: NodeJS.Timeout | undefined;
  #call: string | undefined;
  /** How the process ended, once it has. */
  #end: string | undefined;
  #pinError: RolesAnywhereError | undefined;

  private constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#child = startChild(settings.host ?? findHost(), (message) => {
      this.#receive(message as FromHost);
    });
    this.#child.hold(false);
    void this.#child.exited.then(({ code, signal }) => {
      const how = signal === null ? `ended with exit code ${String(code)}` : `crashed (${signal})`;
      this.#end = `${this.#where()} ${how}${this.#call === undefined ? '' : ` in ${this.#call}`}`;
      this.#fail(this.#end);
    });
  }

  /** @throws RolesAnywhereError PKCS11_UNAVAILABLE, PKCS11_FAILED */
  static async open(settings: ConnectionSettings): Promise<Connection> {
    const connection = new Connection(settings);
    try {
      await connection.request('load', { library: settings.library });
    } catch (error) {
      await connection.close();
      throw error;
    }
    return connection;
  }

  /** One request at a time. @throws RolesAnywhereError as the service says, and PKCS11_FAILED */
  async request<Name extends RequestName>(
    name: Name,
    params: Requests[Name]['params'],
  ): Promise<Requests[Name]['result']> {
    // Nobody was asking then: a new one may do it.
    if (this.#end !== undefined) throw crashed(this.#end, true);
    this.#child.hold(true);
    this.#pinError = undefined;
    try {
      const result = new Promise<unknown>((resolve, reject) => {
        this.#pending = { resolve, reject };
      });
      this.#call = undefined;
      this.#watch(this.#settings.callSeconds);
      this.#send({ request: { name, params } as Request });
      return (await result) as Requests[Name]['result'];
    } finally {
      this.#pending = undefined;
      clearTimeout(this.#timer);
      this.#child.hold(false);
    }
  }

  /** Ends the module's process: gently, then not. Never throws. */
  async close(): Promise<void> {
    const impatience = setTimeout(() => {
      this.#child.kill();
    }, closeSeconds * 1000);
    this.#child.hold(true);
    this.#send({ request: { name: 'close', params: undefined } });
    await this.#child.exited;
    clearTimeout(impatience);
  }

  #receive(message: FromHost): void {
    if ('debug' in message) this.#settings.reporter.debug(message.debug);
    else if ('warning' in message) this.#settings.reporter.warn(message.warning, message.hint);
    else if ('call' in message) {
      this.#call = message.call;
      this.#watch(message.patient ? patientSeconds : this.#settings.callSeconds);
    } else if ('question' in message) void this.#answer(message.question);
    else if ('failure' in message) this.#settle(message.failure);
    else if (this.#pinError === undefined || this.#pinError.code === 'PASSWORD_REQUIRED') {
      this.#pending?.resolve(message.result);
    } else this.#pending?.reject(this.#pinError);
  }

  async #answer(question: PinQuestion): Promise<void> {
    clearTimeout(this.#timer); // A person may be typing.
    let answer: ToHost;
    try {
      answer = { pin: (await this.#settings.pins.answer(question)).expose() };
    } catch (error) {
      this.#pinError = asPinError(error);
      answer = { noPin: true };
    }
    this.#watch(this.#settings.callSeconds);
    this.#send(answer);
  }

  #settle(failure: Failure): void {
    const error = this.#pinError ?? toError(failure);
    if (error.code === 'PASSWORD_WRONG') this.#settings.pins.refused(error);
    this.#pending?.reject(error);
  }

  #watch(seconds: number): void {
    clearTimeout(this.#timer);
    if (this.#pending === undefined) return; // It is closing, which has its own limit.
    this.#timer = setTimeout(() => {
      this.#fail(`${this.#where()} did not return from ${this.#call ?? 'its start'} within ${seconds} s`);
      this.#child.kill();
    }, seconds * 1000);
  }

  #fail(message: string): void {
    this.#pending?.reject(crashed(message, false));
  }

  #where(): string {
    return `the PKCS#11 module ${this.#settings.library}`;
  }

  #send(message: ToHost): void {
    this.#child.send(message);
  }
}

function crashed(message: string, lost: boolean): RolesAnywhereError {
  const hint = 'this is a defect of the module, its middleware or the token: look for their logs';
  return toError({ code: 'PKCS11_FAILED', message, hint, lost });
}

function asPinError(error: unknown): RolesAnywhereError {
  if (error instanceof RolesAnywhereError) return error;
  return new RolesAnywhereError('INTERNAL', 'asking for the PIN failed', { cause: error });
}

function findHost(): string {
  const script = findHostScript();
  if (script !== undefined) return script;
  throw new RolesAnywhereError('PKCS11_UNAVAILABLE', 'pkcs11-host.cjs is missing from this package', {
    hint: 'leave this package out of what a bundler makes (external), or run npm run build',
  });
}
