// How many requests `serve` answers in a second, beside a bare `node:http` handler that sends the same bytes, and any
// helper that AWS_SIGNING_HELPER names. The rounds are interleaved; the client is a process of its own.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const list = '/latest/meta-data/iam/security-credentials/';
const connections = 32;
const script = fileURLToPath(import.meta.url);

/**
 * @param helpers each with its name, and its words up to the options; told its port, it prints its address
 * @param seconds of full load that each gets, in rounds of one second
 */
export const measureServe = async ({ node, helpers, seconds, env }) => {
  const servers = [
    { name: 'bare node:http', child: fork(script, ['bare'], { execPath: node, silent: true, env }) },
  ];
  for (const { name, words } of helpers) {
    const [file, ...rest] = [...words, '--port', String(await freePort())];
    servers.push({ name, child: spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'], env }) });
  }
  try {
    for (const server of servers) {
      server.port = await portOf(server.child);
      server.rounds = [];
      server.path = list + (server.name === 'bare node:http' ? '' : await ask(server.port, list));
      server.token = server.name === 'bare node:http' ? 'none' : await putToken(server.port);
    }
    for (let round = -1; round < seconds; round++) {
      for (const server of servers) {
        const cpu = await cpuSeconds(server.child.pid);
        const result = await load(server);
        result.cpu = (await cpuSeconds(server.child.pid)) - cpu;
        if (round >= 0) server.rounds.push(result);
      }
    }
    return await Promise.all(servers.map(summary));
  } finally {
    for (const { child } of servers) child.kill();
  }
};

const portOf = (child) =>
  new Promise((resolve, reject) => {
    let text = '';
    const read = (part) => {
      text += part;
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(text) ?? [];
      if (port !== undefined) resolve(Number(port));
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', () => reject(new Error(`it ended: ${text}`)));
  });

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
};

const putToken = async (port) => {
  const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' };
  return (await fetch(`http://127.0.0.1:${port}/latest/api/token`, { method: 'PUT', headers })).text();
};

const ask = async (port, path) => {
  const headers = { 'x-aws-ec2-metadata-token': await putToken(port) };
  return (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).text();
};

/** One second of full load, from a process of its own. */
const load = async ({ port, path, token }) => {
  const child = fork(script, ['load', String(port), path, token]);
  const [result] = await once(child, 'message');
  await once(child, 'exit');
  return result;
};

/** Processor time that a process has had; by proc(5), and 0 elsewhere than on Linux. */
const cpuSeconds = async (pid) => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100 || 0;
};

const summary = async ({ name, child, rounds }) => {
  const total = (key) => rounds.reduce((sum, round) => sum + round[key], 0);
  const latencies = rounds.flatMap((round) => round.p99).sort((a, b) => a - b);
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
  return {
    name,
    requestsPerSecond: total('requests') / total('seconds'),
    cpuMicroseconds: (total('cpu') / total('requests')) * 1e6,
    p99Milliseconds: latencies[Math.floor(latencies.length / 2)],
    residentMiB: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024,
  };
};

const serveBare = () => {
  const body = 'x'.repeat(1100);
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
    response.end(body);
  });
  server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
};

/** Sockets that send the next request when the answer to the last is whole: no client library is measured. */
const sendLoad = async (port, path, token) => {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-aws-ec2-metadata-token: ${token}\r\n\r\n`;
  const latencies = [];
  let failed = 0;
  const end = Date.now() + 1000;
  const began = performance.now();
  const one = () =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1').setNoDelay();
      let sent = 0;
      let text = '';
      const send = () => {
        sent = performance.now();
        socket.write(request);
      };
      socket.setEncoding('latin1').on('data', (part) => {
        text += part;
        const head = text.indexOf('\r\n\r\n');
        const [, length] = /content-length: (\d+)/i.exec(text) ?? [];
        if (head < 0 || text.length < head + 4 + Number(length)) return;
        if (!text.startsWith('HTTP/1.1 200')) failed++;
        latencies.push(performance.now() - sent);
        text = '';
        if (Date.now() < end) send();
        else socket.end();
      });
      socket.on('connect', send).on('close', resolve).on('error', reject);
    });
  await Promise.all(Array.from({ length: connections }, one));
  const seconds = (performance.now() - began) / 1000;
  if (failed > 0) throw new Error(`${failed} requests were not answered with 200`);
  latencies.sort((a, b) => a - b);
  process.send({
    requests: latencies.length,
    seconds,
    p99: latencies[Math.floor(latencies.length * 0.99)],
  });
  process.disconnect();
};

if (process.argv[1] === script) {
  const [what, port, path, token] = process.argv.slice(2);
  if (what === 'bare') serveBare();
  else await sendLoad(Number(port), path, token);
}
