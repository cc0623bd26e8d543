import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run, runProgram } from '../support/command.ts';
import { commandWords, sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { askImds, startServe } from '../support/serve-process.ts';

describe('serve', () => {
  let folder: string;
  let emulator: EmulatorProcess;
  let words: string[];

  const wordsFor = (service: EmulatorProcess): string[] =>
    sessionWords(service, { certificate: join(folder, 'leaf.pem'), key: join(folder, 'leaf.key') }).slice(1);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rolesanywhere serve-'));
    emulator = await startEmulatorProcess(['--pki', folder]);
    words = wordsFor(emulator);
  });

  afterAll(async () => {
    await emulator.close();
    await rm(folder, { recursive: true });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'CH#176: says where it is, answers, and ends well on %s',
    async (signal) => {
      await using serve = await startServe([...words, '--port', '0']);
      expect(serve.name).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect(serve.exports).toEqual({ AWS_EC2_METADATA_SERVICE_ENDPOINT: `${serve.name}/` });
      expect(await askImds(serve.name)).toMatchObject({
        Code: 'Success',
        AccessKeyId: expect.stringMatching(/^ASIA/) as string,
        Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
      });
      expect(await serve.end(signal)).toEqual([0, null]);
    },
  );

  it('opens one session for 20 requests at once', async () => {
    await using serve = await startServe([...words, '--port', '0']);
    const before = await emulator.asked('CreateSession');
    const answers = await Promise.all(Array.from({ length: 20 }, () => askImds(serve.name)));
    expect(new Set(answers.map(({ AccessKeyId }) => AccessKeyId)).size).toBe(1);
    expect(await emulator.asked('CreateSession')).toBe(before);
  });

  it('opens a new session on SIGHUP', async () => {
    await using serve = await startServe([...words, '--port', '0']);
    const { AccessKeyId } = await askImds(serve.name);
    const from = serve.log().length;
    serve.child.kill('SIGHUP');
    await serve.logged('credentials until', from);
    expect((await askImds(serve.name))['AccessKeyId']).not.toBe(AccessKeyId);
  });

  describe('hands out container credentials', () => {
    it('for the token in a file that it makes, for its owner alone, and takes again', async () => {
      const file = join(folder, "a 'quoted' token");
      await using serve = await startServe([...words, '--port', '0', '--container-token-file', file]);
      expect(serve.exports).toEqual({
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${serve.name}/credentials`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: `'${file.replaceAll("'", "'\\''")}'`,
      });
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const authorization = await readFile(file, 'utf8');
      expect(authorization).toMatch(/^[\w-]{43}$/);
      const ask = (headers: Record<string, string>): Promise<Response> =>
        fetch(`${serve.name}/credentials`, { headers });
      expect((await ask({ authorization })).status).toBe(200);
      expect((await ask({})).status).toBe(401);
      expect(serve.log()).not.toContain(authorization);
      await serve.end();

      await using again = await startServe([...words, '--port', '0', '--container-token-file', file]);
      expect((await fetch(`${again.name}/credentials`, { headers: { authorization } })).status).toBe(200);
    });

    it.each([
      ['that others can read', 'token', 0o644],
      ['that its group can change', 'token', 0o660],
      ['with a line end', 'token\n', 0o600],
      ['that is empty', '', 0o600],
    ])('but not for a file %s: exit code 6', async (_, text, mode) => {
      const file = join(folder, `token ${mode} ${text.length}`);
      await writeFile(file, text);
      await chmod(file, mode);
      const { code, stdout, stderr } = await run([
        'serve',
        ...words,
        '--port',
        '0',
        '--container-token-file',
        file,
      ]);
      expect({ code, stdout }).toEqual({ code: 6, stdout: '' });
      expect(stderr).toContain(file);
    });

    it('nor for a link to nothing, which it does not fill', async () => {
      const file = join(folder, 'dangling');
      await symlink(join(folder, 'victim'), file);
      const { code } = await run(['serve', ...words, '--container-token-file', file]);
      expect(code).toBe(6);
      await expect(stat(join(folder, 'victim'))).rejects.toThrow();
    });

    it('nor for a pipe, which it does not wait for', async () => {
      const file = join(folder, 'pipe');
      await runProgram('mkfifo', ['-m', '600', file]);
      const { code } = await run(['serve', ...words, '--container-token-file', file]);
      expect(code).toBe(6);
    });
  });

  describe('CH#76, CH#126: listens on a unix socket', () => {
    const askSocket = (socketPath: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const call = request({ socketPath, path: '/healthz' }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
        call.on('error', reject).end();
      });

    it("that is its owner's alone, replaces one that was left behind, and removes it at its end", async () => {
      const path = join(folder, 'socket');
      {
        await using killed = await startServe([...words, '--bind', `unix:${path}`]);
        await killed.end('SIGKILL');
      }
      expect((await stat(path)).isSocket()).toBe(true);
      await using serve = await startServe([...words, '--bind', `unix:${path}`]);
      expect(serve.name).toBe(`unix:${path}`);
      expect(serve.exports).toEqual({});
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await askSocket(path)).toBe(200);

      const { code, stderr } = await run(['serve', ...words, '--bind', `unix:${path}`]);
      expect(code).toBe(6);
      expect(stderr).toContain(path);
      expect(await askSocket(path)).toBe(200);

      expect(await serve.end()).toEqual([0, null]);
      await expect(stat(path)).rejects.toThrow();
    });

    it.each([
      ['longer than a socket can be', (base: string) => join(base, 'x'.repeat(120)), 'too long'],
      ['in no folder', (base: string) => join(base, 'none', 'socket'), 'no such folder'],
    ])('but not at a path %s: exit code 6', async (_, pathIn, reason) => {
      const before = await readdir(folder);
      const { code, stderr } = await run(['serve', ...words, '--bind', `unix:${pathIn(folder)}`]);
      expect(code).toBe(6);
      expect(stderr).toContain(reason);
      expect(await readdir(folder)).toEqual(before);
    });

    it('but takes no file for one: exit code 6', async () => {
      const path = join(folder, 'file');
      await writeFile(path, 'precious');
      expect(await run(['serve', ...words, '--bind', `unix:${path}`])).toMatchObject({ code: 6 });
      expect(await readFile(path, 'utf8')).toBe('precious');
    });
  });

  it('says when its port is taken, before it asks for a session: exit code 6', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const before = await emulator.asked('CreateSession');
    const { code, stdout, stderr } = await run(['serve', ...words, '--port', String(port)]);
    server.close();
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' });
    expect(stderr).toContain(`port ${port}: the port is taken`);
    expect(await emulator.asked('CreateSession')).toBe(before);
  });

  it.each([
    [['--port', '65536']],
    [['--port', 'http']],
    [['--hop-limit', '0']],
    [['--hop-limit', '256']],
    [['--log-format', 'xml']],
    [['--bind', 'unix:']],
    [['--session-duration', '899']],
  ])('refuses %j at the start: exit code 2', async (args) => {
    const { code, stdout, stderr } = await run(['serve', ...words, ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: /);
  });

  it('ends with the words of the service that refuses the first session: exit code 4', async () => {
    const outside = words.map((word) => word.replace(':role/emulator', ':role/outside'));
    const { code, stdout, stderr } = await run(['serve', ...outside, '--port', '0']);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toContain('AccessDenied');
    expect(stderr).not.toContain('listening');
  });

  describe('ends within 5 s', () => {
    /** The service, seen through a line that goes dead behind so many connections. */
    const deadLine = async (live: number) => {
      const sockets = new Set<Socket>();
      let held: () => void = () => undefined;
      const isHeld = new Promise<void>((resolve) => (held = resolve));
      const server = createServer((socket) => {
        sockets.add(socket.on('error', () => undefined));
        if (sockets.size > live) held();
        else socket.pipe(connect(Number(new URL(emulator.endpoint).port), '127.0.0.1')).pipe(socket);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      return {
        isHeld,
        words: words.map((word) => (word === emulator.endpoint ? `http://127.0.0.1:${port}` : word)),
        [Symbol.dispose]: () => {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      };
    };

    it('while clients hold connections, dawdle, and a session is being opened', async () => {
      using line = await deadLine(1);
      await using serve = await startServe([...line.words, '--port', '0']);
      const port = Number(new URL(serve.name).port);
      const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
      for (const client of clients) client.on('error', () => undefined);
      clients[0]?.write('PUT /latest/api/token HTTP/1.1\r\nHost: 127');
      await (await fetch(`${serve.name}/healthz`)).text();
      serve.child.kill('SIGHUP');
      await line.isHeld;

      const began = Date.now();
      expect(await serve.end()).toEqual([0, null]);
      expect(Date.now() - began).toBeLessThan(5000);
      for (const client of clients) client.destroy();
    });

    it('while not even the first session is there', async () => {
      using line = await deadLine(0);
      const [program, ...first] = commandWords();
      const child = spawn(program, [...first, 'serve', ...line.words, '--port', '0']);
      const ended = once(child, 'close');
      await line.isHeld;
      const began = Date.now();
      child.kill();
      expect(await ended).toEqual([0, null]);
      expect(Date.now() - began).toBeLessThan(5000);
    });
  });
});
