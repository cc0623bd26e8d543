import { EncodingError } from '../../encoding/encoding-error.ts';
import type { Reporter } from '../../reporter.ts';
import { deferTermination } from '../../runtime/termination.ts';
import { flushContext } from './commands.ts';
import type { Command } from './commands.ts';
import { structureTags } from './constants.ts';
import { openDevice, pause } from './device.ts';
import type { TpmDevice } from './device.ts';
import { TpmFault } from './fault.ts';
import { join, TpmReader, uint16, uint32 } from './marshal.ts';
import { readResponseCode, TpmRefusal } from './response-code.ts';
import type { Authorization, CommandRunner } from './session.ts';

export interface TpmAccess {
  /** As TPM_DEVICE, which counts when this is undefined. */
  readonly device: string | undefined;
  /** For a whole operation, the wait for other programs included. */
  readonly timeoutSeconds: number;
  /** Ends an operation after the command that is under way, so that nothing stays behind in the TPM. */
  readonly interrupt: AbortSignal;
  readonly reporter: Reporter;
}

/** How long objects that others left behind are waited for. */
const memoryPatienceSeconds = 15;
/** How long the command that is under way may still take when it is interrupted. */
const graceSeconds = 3;
/** For one object at the end. */
const flushSeconds = 2;

/**
 * Does something with the TPM over one connection, so that nobody comes in between, and leaves nothing behind: every
 * object and session is flushed, whatever happens. Where the TPM lacks memory, all is let go of and begun again, since
 * two programs that hold on to what they have would wait for each other for ever.
 *
 * @throws TpmRefusal when the TPM answers with an error
 * @throws TpmFault when it cannot be reached, is silent or answers garbage
 */
export async function withTpm<T>(access: TpmAccess, use: (tpm: CommandRunner) => Promise<T>): Promise<T> {
  const { timeoutSeconds, reporter } = access;
  const limits = new Limits(access);
  const patienceEnds = Date.now() + Math.min(timeoutSeconds / 2, memoryPatienceSeconds) * 1000;
  try {
    for (let wait = 20; ; wait = Math.min(wait * 2, 500)) {
      const tpm = new Tpm(await openDevice(limits.soft, access.device), limits, reporter);
      let refusal: TpmRefusal;
      try {
        return await use(tpm);
      } catch (error) {
        const mayBeginAgain = error instanceof TpmRefusal && error.code.advice === 'begin again';
        if (!mayBeginAgain || Date.now() > patienceEnds) throw error;
        refusal = error;
      } finally {
        await tpm.close();
      }
      reporter.debug(`${refusal.message}; beginning again`);
      // Programs that collided must not collide again.
      await pause(wait + Math.random() * wait, limits.soft).catch(() => {
        throw refusal;
      });
    }
  } finally {
    limits.release();
  }
}

/** What ends an operation early: its time is up, the caller or a signal wants it to end. */
class Limits {
  readonly #soft = new AbortController();
  readonly #hard = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #grace: NodeJS.Timeout | undefined;
  readonly #interrupt: AbortSignal;
  readonly #releaseSignals: () => void;

  constructor({ timeoutSeconds, interrupt }: TpmAccess) {
    this.#interrupt = interrupt;
    this.#timer = setTimeout(() => {
      const silent = new TpmFault(`the TPM did not answer within ${timeoutSeconds} s`, {
        hint: 'another program may hold it, or it may be broken',
      });
      this.#soft.abort(silent);
      this.#hard.abort(silent);
    }, timeoutSeconds * 1000);
    this.#releaseSignals = deferTermination(this.#onInterrupt);
    interrupt.addEventListener('abort', this.#onInterrupt);
    if (interrupt.aborted) this.#onInterrupt();
  }

  /** No further command: what is loaded is to be flushed. */
  get soft(): AbortSignal {
    return this.#soft.signal;
  }

  /** The command under way is not waited for any more. What it loads cannot be flushed. */
  get hard(): AbortSignal {
    return this.#hard.signal;
  }

  release(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#grace);
    this.#interrupt.removeEventListener('abort', this.#onInterrupt);
    this.#releaseSignals();
  }

  readonly #onInterrupt = (): void => {
    const aborted = new TpmFault('the use of the TPM was aborted', { cause: this.#interrupt.reason });
    this.#soft.abort(aborted);
    this.#grace ??= setTimeout(() => {
      this.#hard.abort(aborted);
    }, graceSeconds * 1000);
  };
}

/** One connection, and all that was loaded over it. */
class Tpm implements CommandRunner {
  readonly #device: TpmDevice;
  readonly #limits: Limits;
  readonly #reporter: Reporter;
  readonly #loaded = new Set<number>();
  #isBroken = false;

  constructor(device: TpmDevice, limits: Limits, reporter: Reporter) {
    this.#device = device;
    this.#limits = limits;
    this.#reporter = reporter;
  }

  async execute<Answer>(command: Command<Answer>, authorization?: Authorization): Promise<Answer> {
    const sealed = authorization?.seal(command);
    const request = encode(command, sealed?.parameters ?? command.parameters, sealed?.area);
    try {
      return this.#decode(command, authorization, await this.#exchange(command.name, request, this.#limits));
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error;
      const why = `the answer to ${command.name} is malformed: ${error.message}`;
      throw new TpmFault(`the TPM ${this.#device.name} failed: ${why}`);
    }
  }

  async flush(handle: number): Promise<void> {
    await this.execute(flushContext(handle));
    this.#loaded.delete(handle);
  }

  warn(message: string): void {
    this.#reporter.warn(message);
  }

  async close(): Promise<void> {
    try {
      for (const handle of [...this.#loaded].reverse()) {
        if (this.#isBroken) break;
        const command = flushContext(handle);
        const soon = AbortSignal.timeout(flushSeconds * 1000);
        await this.#exchange(command.name, encode(command, command.parameters, undefined), {
          soft: soon,
          hard: soon,
        });
      }
    } catch {
      // What went wrong before is what the caller should hear of.
    } finally {
      await this.#device.close();
    }
  }

  /** Sends the same bytes again as long as the TPM says that it did nothing with them. */
  async #exchange(
    name: string,
    request: Uint8Array,
    limits: Pick<Limits, 'soft' | 'hard'>,
  ): Promise<Uint8Array> {
    for (let wait = 10; ; wait = Math.min(wait * 2, 500)) {
      limits.soft.throwIfAborted();
      const started = performance.now();
      const response = await this.#transact(request, limits.hard);
      this.#reporter.debug(`${name} took ${Math.round(performance.now() - started)} ms`);
      const header = new TpmReader(response);
      header.bytes(6);
      const code = readResponseCode(header.uint32());
      if (code.advice !== 'resend') return response;
      const refusal = new TpmRefusal(name, code);
      this.#reporter.debug(`${refusal.message}; sending it again`);
      await pause(wait, limits.soft).catch(() => {
        throw refusal;
      });
    }
  }

  async #transact(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    try {
      return await this.#device.transact(request, signal);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }

  #decode<Answer>(
    command: Command<Answer>,
    authorization: Authorization | undefined,
    response: Uint8Array,
  ): Answer {
    const reader = new TpmReader(response);
    const tag = reader.uint16();
    reader.uint32();
    const code = reader.uint32();
    if (tag === tpm12Tag)
      throw new TpmFault(`the TPM ${this.#device.name} is a TPM 1.2: a TPM 2.0 is needed`);
    if (code !== 0) throw new TpmRefusal(command.name, readResponseCode(code));
    const handle = command.returnsHandle ? reader.uint32() : 0;
    // Before anything else can fail.
    if (command.returnsHandle) this.#loaded.add(handle);
    const parameters = new TpmReader(
      authorization === undefined
        ? reader.rest()
        : authorization.open(command, reader.bytes(reader.uint32()), reader),
    );
    reader.end();
    const answer = command.read(parameters, handle);
    parameters.end();
    return answer;
  }
}

/** TPM_TAG_RSP_COMMAND of TPM 1.2, which also answers a command that it does not understand. */
const tpm12Tag = 0x00c4;

/** Command header, handles, authorization area, parameters (Part 1, section 18). */
function encode(
  command: Command<unknown>,
  parameters: Uint8Array,
  authorization: Uint8Array | undefined,
): Uint8Array {
  const body = join(
    uint32(command.code),
    ...command.entities.map(({ handle }) => uint32(handle)),
    ...(authorization === undefined ? [] : [uint32(authorization.length), authorization]),
    parameters,
  );
  const tag = authorization === undefined ? structureTags.noSessions : structureTags.sessions;
  return join(uint16(tag), uint32(6 + body.length), body);
}
