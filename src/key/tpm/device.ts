import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { NetConnectOpts, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../runtime/connect.ts';
import { env } from '../../runtime/env.ts';
import { commandCodes, structureTags } from './constants.ts';
import { TpmFault } from './fault.ts';
import { join, TpmReader, uint16, uint32 } from './marshal.ts';

/** A way to a TPM: bytes of commands go in, bytes of responses come out. */
export interface TpmDevice {
  /** For messages. */
  readonly name: string;
  /**
   * Sends one command and gives the answer, a whole response with its header. One at a time.
   *
   * @throws TpmFault when the device fails; the signal's reason when it aborts. Nothing more can be sent then.
   */
  transact(command: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The resource manager of the kernel first: it keeps the objects of different programs apart. */
const usualDevices = ['/dev/tpmrm0', '/dev/tpm0'];

/**
 * Opens the TPM that `TPM_DEVICE` names, a character device, a unix socket or `host:port` (which speak the plain
 * protocol, as swtpm does), or else the machine's own. Waits while another program has it for itself.
 *
 * @throws TpmFault when there is none or it cannot be opened; the signal's reason when it aborts
 */
export async function openDevice(signal: AbortSignal, name = env('TPM_DEVICE')): Promise<TpmDevice> {
  for (const candidate of name === undefined ? usualDevices : [name]) {
    const device = await openNamed(candidate, signal, name === undefined);
    if (device !== undefined) return device;
  }
  throw new TpmFault(`there is no TPM: neither ${usualDevices.join(' nor ')} exists`, {
    hint: 'set TPM_DEVICE when it is elsewhere',
  });
}

async function openNamed(
  name: string,
  signal: AbortSignal,
  mayBeAbsent: boolean,
): Promise<TpmDevice | undefined> {
  for (let wait = 5; ; wait = Math.min(wait * 2, 250)) {
    try {
      return await openOnce(name, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TpmFault) throw error;
      const code = codeOf(error);
      if (mayBeAbsent && (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO')) return undefined;
      // /dev/tpm0 takes one program at a time (EBUSY), and so does a unix socket with a full backlog (EAGAIN).
      if (code !== 'EBUSY' && code !== 'EAGAIN') throw unusable(name, error, code);
      await pause(wait + Math.random() * wait, signal);
    }
  }
}

async function openOnce(name: string, signal: AbortSignal): Promise<TpmDevice> {
  const [, host, port] = /^(?:\[([^\]/]+)\]|[^:/]+):(\d{1,5})$/.exec(name) ?? [];
  if (port !== undefined) {
    return await openSocket(
      name,
      { host: host ?? name.slice(0, -port.length - 1), port: Number(port) },
      signal,
    );
  }
  const status = await stat(name);
  if (status.isSocket()) return await openSocket(name, { path: name }, signal);
  if (!status.isCharacterDevice()) {
    throw new TpmFault(`${name} is no TPM: it is neither a character device nor a socket`);
  }
  // Without O_NONBLOCK a silent device would hold a thread in read(2), and with it the end of the process.
  return new CharacterDevice(name, await open(name, constants.O_RDWR | constants.O_NONBLOCK));
}

function unusable(name: string, cause: unknown, code: string | undefined): TpmFault {
  const [why, hint] =
    code === 'EACCES' || code === 'EPERM'
      ? ['permission denied', 'add the user to the group that may use it (often tss), or run as root']
      : code === 'ENOENT' || code === 'ENOTDIR'
        ? ['it does not exist', 'name a character device, a unix socket or host:port in TPM_DEVICE']
        : code === 'ECONNREFUSED'
          ? ['nobody listens there', 'start the TPM simulator, or unset TPM_DEVICE']
          : [code ?? 'unknown failure', undefined];
  return new TpmFault(`cannot open the TPM ${name}: ${why}`, { hint, cause });
}

function failed(name: string, error: unknown): TpmFault {
  if (error instanceof TpmFault) return error;
  const code = codeOf(error);
  return new TpmFault(`the TPM ${name} failed${code === undefined ? '' : ` (${code})`}`, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** @throws the signal's reason when it aborts */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => {
    signal.throwIfAborted();
  });
}

class CharacterDevice implements TpmDevice {
  readonly name: string;
  readonly #file: FileHandle;

  constructor(name: string, file: FileHandle) {
    this.name = name;
    this.#file = file;
  }

  async transact(command: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    try {
      // The kernel wants a command in one piece.
      await this.#file.write(command);
      const response = new Response(this.name);
      for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
        const complete = response.add(await this.#read());
        if (complete !== undefined) return complete;
        await pause(wait, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw failed(this.name, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** What is there: nothing, as long as the TPM works on its answer. */
  async #read(): Promise<Uint8Array> {
    const buffer = new Uint8Array(maxResponse);
    try {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, null);
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return new Uint8Array();
      throw error;
    }
  }
}

/** TPM2_GetTestResult (Part 3, section 10.4): of no interest, without parameters, and answered in every state. */
const getTestResult = join(uint16(structureTags.noSessions), uint32(10), uint32(commandCodes.getTestResult));

async function openSocket(name: string, options: NetConnectOpts, signal: AbortSignal): Promise<TpmDevice> {
  const socket = connect(options);
  const device = new SocketDevice(name, socket);
  try {
    await device.connected(signal);
    // Who serves one program at a time takes the connection, but reads on it only later. Something harmless comes
    // first: when we give up waiting, it is done all the same, and a key would stay loaded.
    await device.transact(getTestResult, signal);
  } catch (error) {
    await device.close();
    throw error;
  }
  return device;
}

class SocketDevice implements TpmDevice {
  readonly name: string;
  readonly #socket: Socket;
  readonly #chunks: Uint8Array[] = [];
  #connected = false;
  #lost: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(name: string, socket: Socket) {
    this.name = name;
    this.#socket = socket;
    const lose = (error?: Error): void => {
      this.#lost ??= error ?? new TpmFault(`the TPM ${name} closed the connection`);
      this.#wake();
    };
    socket.setNoDelay();
    socket.on('connect', () => {
      this.#connected = true;
      this.#wake();
    });
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    socket.on('error', lose);
    socket.on('end', lose);
    socket.on('close', () => {
      lose();
    });
  }

  async connected(signal: AbortSignal): Promise<void> {
    while (!this.#connected && this.#lost === undefined) await this.#event(signal);
    if (this.#lost !== undefined) throw this.#lost;
  }

  async transact(command: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    this.#socket.write(command);
    const response = new Response(this.name);
    for (;;) {
      for (const chunk of this.#chunks.splice(0)) {
        const complete = response.add(chunk);
        if (complete !== undefined) return complete;
      }
      if (this.#lost !== undefined) throw failed(this.name, this.#lost);
      await this.#event(signal);
    }
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    await new Promise((resolve) => {
      this.#socket.once('close', resolve);
      this.#socket.destroy();
    });
  }

  /** The next thing that happens to the socket. */
  async #event(signal: AbortSignal): Promise<void> {
    let stop = (): void => undefined;
    try {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        stop = resolve;
        signal.addEventListener('abort', stop);
        if (signal.aborted) resolve();
      });
    } finally {
      signal.removeEventListener('abort', stop);
    }
    signal.throwIfAborted();
  }
}

/** TPM_PT_MAX_RESPONSE_SIZE is 4096 wherever one looks; more is garbage. */
const maxResponse = 8192;
const headerBytes = 10;

/** Puts together the pieces that a response comes in. */
class Response {
  readonly #device: string;
  #bytes: Uint8Array = new Uint8Array();

  constructor(device: string) {
    this.#device = device;
  }

  /**
   * @returns the response once it is whole
   * @throws TpmFault when this is no response
   */
  add(chunk: Uint8Array): Uint8Array | undefined {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (this.#bytes.length < headerBytes) return undefined;
    const header = new TpmReader(this.#bytes);
    const tag = header.uint16();
    const size = header.uint32();
    const isTag = tag === structureTags.sessions || tag === structureTags.noSessions || tag === 0x00c4;
    if (!isTag || size < headerBytes || size > maxResponse || this.#bytes.length > size) {
      throw new TpmFault(`what answers at ${this.#device} is no TPM 2.0`, {
        hint: 'a simulator must speak the plain TPM protocol on this port: with swtpm that of --server, not --ctrl',
      });
    }
    return this.#bytes.length === size ? this.#bytes : undefined;
  }
}
