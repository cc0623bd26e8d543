import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { commandWords, sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { startPython } from '../support/python.ts';
import { startServe } from '../support/serve-process.ts';
import { startServiceManager, withSocket } from '../support/service-manager.ts';

/** The unix datagram sockets that a process holds, by inode: what it speaks to systemd by (proc(5), /proc/net/unix). */
const datagramSockets = (pid: number | undefined): string[] => {
  const folder = `/proc/${pid ?? 0}/fd`;
  const held = readdirSync(folder).map((descriptor) => {
    try {
      return readlinkSync(join(folder, descriptor));
    } catch {
      return 'closed meanwhile';
    }
  });
  const [, ...sockets] = readFileSync('/proc/net/unix', 'utf8').trim().split('\n');
  return sockets
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([, , , , type, , inode = '']) => (type === '0002' ? [inode] : []))
    .filter((inode) => held.includes(`socket:[${inode}]`));
};

describe('serve and the system', () => {
  let folder: string;
  let emulator: EmulatorProcess;
  let words: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rolesanywhere serve-'));
    emulator = await startEmulatorProcess(['--pki', folder]);
    words = [
      ...sessionWords(emulator, {
        certificate: join(folder, 'leaf.pem'),
        key: join(folder, 'leaf.key'),
      }).slice(1),
      ...['--port', '0'],
    ];
  });

  afterAll(async () => {
    await emulator.close();
    await rm(folder, { recursive: true });
  });

  // A TCP packet from the given port on the loopback interface, as the network sees it: its TTL, or IPv6 hop limit.
  const capture = `
import socket, struct, sys
packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
packets.bind(('lo', 0))
print('ready')
port, seen = int(sys.argv[1]), 0
while seen < 3:
    frame = packets.recv(65535)[14:]
    version = frame[0] >> 4
    offset = (frame[0] & 15) * 4 if version == 4 else 40
    protocol, limit = (frame[9], frame[8]) if version == 4 else (frame[6], frame[7])
    # Packets that carry an answer, not the handshake alone.
    if protocol == 6 and struct.unpack('!H', frame[offset:offset + 2])[0] == port and b'HTTP/1.1' in frame:
        print(version, limit)
        seen += 1
`;

  // Connects as soon as that is possible, asks when a file appears, and anew should the connection be gone by then.
  const connectEarly = `
import os, socket, sys, time
address = ('127.0.0.1', int(sys.argv[1]))
def ask(client):
    try:
        client.send(b'GET /healthz HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n')
        return client.recv(100)
    except OSError:
        return b''
print('ready')
while True:
    client = socket.socket()
    if client.connect_ex(address) == 0: break
    client.close()
while not os.path.exists(sys.argv[2]): time.sleep(0.02)
if not ask(client): ask(socket.create_connection(address))`;

  describe('the hop limit of what it sends', () => {
    it.each([
      ['127.0.0.1', '5', '4 5'],
      ['127.0.0.1', '255', '4 255'],
      ['127.0.0.1', '64', '4 64'],
      ['::1', '5', '6 5'],
      ['::1', '64', '6 64'],
    ])('at %s is %s', async (address, limit, seen) => {
      await using serve = await startServe([...words, '--bind', address, '--hop-limit', limit]);
      using packets = startPython(capture, new URL(serve.name).port);
      expect(await packets.line()).toBe('ready');
      for (let request = 0; request < 3; request++) {
        await (await fetch(`${serve.name}/healthz`, { headers: { connection: 'close' } })).text();
        expect(await packets.line()).toBe(seen);
      }
    });

    it('holds for connections from before it was set', async () => {
      const port = await freePort();
      using packets = startPython(capture, String(port));
      expect(await packets.line()).toBe('ready');
      const go = join(folder, 'go');
      using early = startPython(connectEarly, String(port), go);
      expect(await early.line()).toBe('ready');
      const atPort = [...words.slice(0, words.indexOf('--port')), '--port', String(port)];
      await using serve = await startServe([...atPort, '--hop-limit', '5']);
      await writeFile(go, '');
      expect(await packets.line()).toBe('4 5');
      expect(serve.child.exitCode).toBeNull();
    });

    it('holds for IPv4 on a socket for both', async () => {
      await using serve = await startServe([...words, '--bind', '::', '--hop-limit', '7']);
      const { port } = new URL(serve.name);
      using packets = startPython(capture, port);
      expect(await packets.line()).toBe('ready');
      await (await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: 'close' } })).text();
      expect(await packets.line()).toBe('4 7');
    });
  });

  describe('tells systemd', () => {
    it.each(['a path', 'an abstract name'])('how it is, at %s', async (kind) => {
      const address = kind === 'a path' ? join(folder, 'notify') : `@rolesanywhere-test-${process.pid}`;
      using manager = await startServiceManager(address);
      await using serve = await startServe(words, {
        env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: '200000' },
      });
      expect(await manager.next()).toMatch(/^STATUS=credentials until \d{4}-.*Z $/);
      expect(await manager.next()).toBe('READY=1 ');
      expect(datagramSockets(serve.child.pid)).toHaveLength(1);
      for (let beat = 0; beat < 3; beat++) expect(await manager.line()).toBe('WATCHDOG=1 ');
      serve.child.kill('SIGHUP');
      expect(await manager.next()).toMatch(/^RELOADING=1 MONOTONIC_USEC=\d+ $/);
      expect(await manager.next()).toMatch(/^STATUS=credentials until /);
      expect(await manager.next()).toBe('READY=1 ');
      expect(await serve.end()).toEqual([0, null]);
      expect(await manager.next()).toBe('STOPPING=1 ');
    });

    it('nothing when it is not asked to, or the watchdog is for another process', async () => {
      const address = join(folder, 'other');
      using manager = await startServiceManager(address);
      const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' };
      await using serve = await startServe(words, { env });
      await serve.end();
      const lines = [await manager.line(), await manager.line(), await manager.line()];
      expect(lines).toEqual([expect.stringMatching(/^STATUS=/) as string, 'READY=1 ', 'STOPPING=1 ']);
    });

    it('why it cannot begin, in characters that no terminal obeys', async () => {
      const address = join(folder, 'refused');
      using manager = await startServiceManager(address);
      const line = words.map((word) => word.replace('leaf.pem', '\u001b[2J.pem'));
      const { code } = await run(['serve', ...line], { env: { NOTIFY_SOCKET: address } });
      expect(code).toBe(3);
      expect(await manager.next()).toMatch(/^STATUS=cannot refresh: .*\\u001b\[2J\.pem: no such file $/);
    });

    it('and warns when systemd cannot be reached', async () => {
      await using serve = await startServe(words, { env: { NOTIFY_SOCKET: join(folder, 'nobody') } });
      expect(serve.log()).toContain('warning: cannot reach the service manager');
      // Nor does it hold on to the socket.
      expect(datagramSockets(serve.child.pid)).toEqual([]);
    });
  });

  describe('takes the socket that systemd made', () => {
    it('with an address', async () => {
      await using serve = await startServe([...words, '--bind', '0.0.0.0', '--hop-limit', '9'], {
        launcher: withSocket('AF_INET', "('127.0.0.1', 0)"),
      });
      expect(serve.name).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect((await fetch(`${serve.name}/healthz`)).status).toBe(200);
      expect(await serve.end()).toEqual([0, null]);
    });

    it('with a path, which stays when it ends', async () => {
      const path = join(folder, 'activated');
      await using serve = await startServe(words, { launcher: withSocket('AF_UNIX', JSON.stringify(path)) });
      const python = `
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.send(b'GET /healthz HTTP/1.0\\r\\nHost: any\\r\\n\\r\\n')
print(client.recv(100).decode().split('\\r')[0])`;
      using client = startPython(python, path);
      expect(await client.line()).toBe('HTTP/1.1 200 OK');
      expect(await serve.end()).toEqual([0, null]);
    });

    it('but not one of several', async () => {
      const [program, ...rest] = withSocket('AF_INET', "('127.0.0.1', 0)", 2);
      const child = spawn(program, [...rest, ...commandWords(), 'serve', ...words], { stdio: 'ignore' });
      expect(await once(child, 'exit')).toEqual([6, null]);
    });

    it('nor one that was meant for another process', async () => {
      await using serve = await startServe(words, { env: { LISTEN_FDS: '1', LISTEN_PID: '1' } });
      expect(serve.name).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    });
  });

  it.each([
    ['that ends it', ['--role-arn', 'arn:aws:iam::123456789012:role/outside'], 4],
    ['in its options', ['--port', 'http'], 2],
  ])('logs an error %s as JSON too', async (_, mistake, exitCode) => {
    const name = mistake[0] ?? '';
    const right = words.flatMap((word, index) => (word === name || words[index - 1] === name ? [] : [word]));
    const { code, stderr } = await run(['serve', ...right, '--log-format', 'json', ...mistake]);
    expect(code).toBe(exitCode);
    expect(JSON.parse(stderr)).toMatchObject({ level: 'error', message: expect.any(String) as string });
  });

  it('logs JSON, an object a line', async () => {
    await using serve = await startServe([...words, '--log-format', 'json', '--debug']);
    await (await fetch(`${serve.name}/healthz`, { headers: { 'x-forwarded-for': '1.2.3.4' } })).text();
    await serve.end();
    const entries = serve
      .log()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    for (const { time, level, message } of entries) {
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(['note', 'warning', 'debug']).toContain(level);
      expect(message).not.toBe('');
    }
    expect(entries).toContainEqual(
      expect.objectContaining({ level: 'note', message: `listening on ${serve.name}` }) as object,
    );
    expect(entries).toContainEqual(
      expect.objectContaining({
        level: 'warning',
        message: expect.stringContaining('forwarded') as string,
      }) as object,
    );
  });
});
