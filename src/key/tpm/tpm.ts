import { EncodingError } from '../../encoding/encoding-error.ts';
import type { Reporter } from '../../reporter.ts';
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
/** How long an interrupted operation may still take to clean up. */
const graceSeconds = 3;

/**
 * Does something with the TPM over one connection, so that nobody comes in between, and leaves nothing behind: every
 * object and session is flushed, whatever happens. Where the TPM lacks memory, all is let go of and begun again, since
 * two programs that hold on to what they have would wait for each other for ever.
 *
 * @throws TpmRefusal when the TPM answers with an error
 * @throws TpmFault when it cannot be reached, is silent or answers garbage
 */
export async function withTpm<T>(access: TpmAccess, use: (tpm: CommandRunner) => Promise<T>): Promise<T> {
  const { device: name, timeoutSeconds, interrupt, reporter } = access;
  const stop = new AbortController();
  const timer = setTimeout(() => {
    stop.abort(
      new TpmFault(`the TPM did not answer within ${timeoutSeconds} seconds`, {
        hint: 'another program may hold it, or it may be broken',
      }),
    );
  }, timeoutSeconds * 1000);
  const onInterrupt = (): void => {
    const grace = setTimeout(() => {
      stop.abort(new TpmFault('the use of the TPM was aborted'));
    }, graceSeconds * 1000);
    stop.signal.addEventListener('abort', () => {
      clearTimeout(grace);
    });
  };
  interrupt.addEventListener('abort', onInterrupt);
  const patienceEnds = Date.now() + Math.min(timeoutSeconds, memoryPatienceSeconds) * 1000;
  try {
    for (let wait = 20; ; wait = Math.min(wait * 2, 500)) {
      const tpm = new Tpm(await openDevice(stop.signal, name), stop.signal, interrupt, reporter);
      try {
        return await use(tpm);
      } catch (error) {
        const mayBeginAgain = error instanceof TpmRefusal && error.code.advice === 'begin again';
        if (!mayBeginAgain || Date.now() > patienceEnds) throw error;
        reporter.debug(`${error.message}; beginning again`);
      } finally {
        await tpm.close();
      }
      // Programs that collided must not collide again.
      await pause(wait + Math.random() * wait, stop.signal);
    }
  } finally {
    clearTimeout(timer);
    interrupt.removeEventListener('abort', onInterrupt);
  }
}

/** One connection, and all that was loaded over it. */
class Tpm implements CommandRunner {
  readonly #device: TpmDevice;
  readonly #stop: AbortSignal;
  readonly #interrupt: AbortSignal;
  readonly #reporter: Reporter;
  readonly #loaded = new Set<number>();
  #isBroken = false;

  constructor(device: TpmDevice, stop: AbortSignal, interrupt: AbortSignal, reporter: Reporter) {
    this.#device = device;
    this.#stop = stop;
    this.#interrupt = interrupt;
    this.#reporter = reporter;
  }

  async execute<Answer>(command: Command<Answer>, authorization?: Authorization): Promise<Answer> {
    const sealed = authorization?.seal(command);
    const request = encode(command, sealed?.parameters ?? command.parameters, sealed?.area);
    for (let wait = 10; ; wait = Math.min(wait * 2, 500)) {
      if (this.#interrupt.aborted) throw interrupted(this.#interrupt);
      const response = await this.#transact(request, this.#stop);
      try {
        return this.#decode(command, authorization, response);
      } catch (error) {
        if (error instanceof EncodingError) {
          const why = `the answer to ${command.name} is malformed: ${error.message}`;
          throw new TpmFault(`the TPM ${this.#device.name} failed: ${why}`);
        }
        if (!(error instanceof TpmRefusal) || error.code.advice !== 'resend') throw error;
        this.#reporter.debug(`${error.message}; sending it again`);
        await pause(wait, this.#stop).catch(() => {
          throw error;
        });
      }
    }
  }

  async flush(handle: number): Promise<void> {
    if (this.#loaded.delete(handle)) await this.execute(flushContext(handle));
  }

  warn(message: string): void {
    this.#reporter.warn(message);
  }

  async close(): Promise<void> {
    try {
      for (const handle of [...this.#loaded].reverse()) {
        if (this.#isBroken) break;
        const command = flushContext(handle);
        await this.#transact(encode(command, command.parameters, undefined), AbortSignal.timeout(1000));
      }
    } catch {
      // What went wrong before is what the caller should hear of.
    } finally {
      await this.#device.close();
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

function interrupted(signal: AbortSignal): TpmFault {
  return new TpmFault('the use of the TPM was aborted', { cause: signal.reason });
}
