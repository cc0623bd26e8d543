// `npm run bench`: how long whole processes take and how much memory they need, next to their baselines.
//
//   npm run bench -- [--runs 31] [--seconds 5] [--key rsa|ec] [--node VERSION|PATH]… [--json]
//
// Runs are interleaved (A B C A B C …), so that whatever else the machine does falls on all alike. AWS_SIGNING_HELPER
// may name another helper to measure beside ours. The standalone executable is measured where it has been built.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs, promisify } from 'node:util';

import { hostTarget } from '../scripts/bun/runtime.mjs';
import { fetchRuntimes, runtimes } from '../test/support/runtimes/runtimes.mjs';
import { measureDistance } from './distance.mjs';
import { measureServe } from './serve.mjs';
import { sessionWords, startService, writeCertificates } from './service.mjs';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '31' },
    // Of full load on `serve`; 0 leaves that part out.
    seconds: { type: 'string', default: '5' },
    key: { type: 'string', default: 'rsa' },
    node: { type: 'string', multiple: true, default: [process.execPath, '24'] },
    json: { type: 'boolean', default: false },
  },
});

/** Targets: what may cost at most so many times what; those are left out of which one was not measured. */
const limits = [
  { subject: 'version', baseline: 'bare runtime', ratio: 1.05 },
  { subject: 'credential-process', baseline: 'floor', ratio: 1.1 },
  { subject: 'cached', baseline: 'bare runtime', ratio: 1.15 },
  { subject: 'executable, cold', baseline: 'AWS_SIGNING_HELPER', ratio: 1 },
  { subject: 'executable, cached', baseline: 'AWS_SIGNING_HELPER', ratio: 0.5 },
  { subject: 'update, 10,000 profiles', baseline: 'update, 10 profiles', ratio: 2 },
];

const resolveRuntime = async (wanted) => {
  if (wanted.includes('/')) return wanted;
  await fetchRuntimes();
  const found = runtimes().filter(({ name }) => `${name}.`.startsWith(`${wanted}.`));
  if (found.length === 0) throw new Error(`no runtime ${wanted} among ${runtimes().map(({ name }) => name)}`);
  return found.at(-1).path;
};

const command = join(import.meta.dirname, '..', 'bin', 'rolesanywhere.js');
const codeCache = join(import.meta.dirname, '..', 'bin', 'code-cache.js');
const other = process.env.AWS_SIGNING_HELPER;
const executable = join(import.meta.dirname, '..', 'dist', `rolesanywhere-${hostTarget()}`);
const hasExecutable = existsSync(executable);

const subjects = (node, directory, endpoint) => {
  const inDirectory = (name) => join(directory, name);
  const session = sessionWords(directory, options.key, endpoint);
  const ca = inDirectory('ca.pem');
  const floor = join(import.meta.dirname, 'floor.cjs');
  const update = (profiles) => [
    ...['/usr/bin/env', `AWS_SHARED_CREDENTIALS_FILE=${inDirectory(`credentials-${profiles}`)}`],
    ...[node, command, 'update', '--once', '--profile', 'p5', ...session, '--ca-bundle', ca],
  ];
  return new Map([
    ['bare runtime', [node, join(import.meta.dirname, 'empty.cjs')]],
    ['version', [node, command, 'version']],
    ['floor', [node, floor, endpoint, inDirectory(`${options.key}.key`), ca]],
    ['credential-process', [node, command, 'credential-process', ...session, '--ca-bundle', ca]],
    ['cached', [node, command, 'credential-process', ...session, '--ca-bundle', ca, '--cache']],
    ['update, 10 profiles', update(10)],
    ['update, 10,000 profiles', update(10_000)],
    ...(hasExecutable
      ? [
          ['executable, version', [executable, 'version']],
          ['executable, cold', [executable, 'credential-process', ...session, '--ca-bundle', ca]],
          [
            'executable, cached',
            [executable, 'credential-process', ...session, '--ca-bundle', ca, '--cache'],
          ],
        ]
      : []),
    ...(other ? [['AWS_SIGNING_HELPER', [other, 'credential-process', ...session]]] : []),
  ]);
};

// Nothing of the caller's: NODE_EXTRA_CA_CERTS alone costs tens of milliseconds. SSL_CERT_FILE tells helpers that
// have no --ca-bundle whom to trust.
const environment = (directory) => ({
  PATH: process.env.PATH,
  HOME: directory,
  SSL_CERT_FILE: join(directory, 'ca.pem'),
});

/** Milliseconds from the start of the process to its end. */
const time = ([file, ...words], env) =>
  new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const child = spawn(file, words, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('exit', (code) => {
      const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
      if (code === 0) resolve(milliseconds);
      else
        child.on('close', () =>
          reject(new Error(`${[file, ...words].join(' ')} ended with ${code}: ${stderr}`)),
        );
    });
  });

/** Peak resident memory in MiB, by GNU time; measured apart, since its process would count in the times. */
const memory = async (words, env) => {
  const { stderr } = await promisify(execFile)('/usr/bin/time', ['-f', '%M', ...words], { env });
  return Number(stderr.trim().split('\n').at(-1)) / 1024;
};

const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
};

const measure = async (node, directory, endpoint) => {
  const env = environment(directory);
  const all = [...subjects(node, directory, endpoint)].map(([name, words]) => ({ name, words, times: [] }));
  // The first round warms the page cache and the compile cache, and is thrown away.
  for (let round = -1; round < Number(options.runs); round++) {
    for (const { words, times } of all) {
      const milliseconds = await time(words, env);
      if (round >= 0) times.push(milliseconds);
    }
  }
  const canMeasureMemory = existsSync('/usr/bin/time');
  const results = [];
  for (const { name, words, times } of all) {
    const peaks = [];
    for (let run = 0; canMeasureMemory && run < 5; run++) peaks.push(await memory(words, env));
    results.push({
      name,
      median: median(times),
      minimum: Math.min(...times),
      peakMiB: canMeasureMemory ? median(peaks) : null,
    });
  }
  const medianOf = (wanted) => results.find(({ name }) => name === wanted)?.median;
  const { stdout } = await promisify(execFile)(node, ['--version']);
  return {
    node: stdout.trim(),
    results: results.map((result) => ({
      ...result,
      toBare: result.median / medianOf('bare runtime'),
      toFloor: result.median / medianOf('floor'),
    })),
    targets: limits.flatMap(({ subject, baseline, ratio }) => {
      const reached = medianOf(subject) / medianOf(baseline);
      return Number.isNaN(reached) ? [] : { subject, baseline, limit: ratio, reached, met: reached <= ratio };
    }),
  };
};

/** What `serve` may lose against a bare handler. */
const leastOfBare = 0.95;

const measureServers = async (node, directory, endpoint) => {
  const session = sessionWords(directory, options.key, endpoint);
  const helpers = [
    { name: 'serve', words: [node, command, 'serve', ...session, '--ca-bundle', join(directory, 'ca.pem')] },
    ...(hasExecutable
      ? [
          {
            name: 'executable',
            words: [executable, 'serve', ...session, '--ca-bundle', join(directory, 'ca.pem')],
          },
        ]
      : []),
    ...(other ? [{ name: 'AWS_SIGNING_HELPER', words: [other, 'serve', ...session] }] : []),
  ];
  const results = await measureServe({
    node,
    helpers,
    seconds: Number(options.seconds),
    env: environment(directory),
  });
  const [bare, ours] = results;
  const reached = ours.requestsPerSecond / bare.requestsPerSecond;
  return { results, target: { limit: leastOfBare, reached, met: reached >= leastOfBare } };
};

const printServers = ({ results, target: { limit, reached, met } }) => {
  const row = (name, ...cells) =>
    console.log(name.padEnd(24) + cells.map((cell) => cell.padStart(11)).join(''));
  console.log(`\n${options.seconds} s of full load on 32 connections`);
  row('', 'requests/s', 'CPU us each', 'p99 ms', 'MiB');
  for (const { name, requestsPerSecond, cpuMicroseconds, p99Milliseconds, residentMiB } of results) {
    const numbers = [requestsPerSecond.toFixed(0), cpuMicroseconds.toFixed(1), p99Milliseconds.toFixed(2)];
    row(name, ...numbers, residentMiB.toFixed(1));
  }
  console.log(`serve: ${reached.toFixed(3)} x bare node:http, ${met ? 'at least' : 'UNDER'} ${limit}`);
};

/** The cache against what has none: 25 calls over a round trip of 40 ms. */
const measureLine = async (service, directory) => {
  const env = { ...environment(directory), ROLESANYWHERE_CACHE_DIR: join(directory, 'line') };
  const ours = hasExecutable ? [executable] : [process.execPath, command];
  const words = (endpoint) => ['credential-process', ...sessionWords(directory, options.key, endpoint)];
  const ca = ['--ca-bundle', join(directory, 'ca.pem')];
  return measureDistance(service.endpoint, service.requests, [
    { name: 'with --cache', run: (endpoint) => time([...ours, ...words(endpoint), ...ca, '--cache'], env) },
    { name: 'without', run: (endpoint) => time([...ours, ...words(endpoint), ...ca], env) },
    ...(other
      ? [{ name: 'AWS_SIGNING_HELPER', run: (endpoint) => time([other, ...words(endpoint)], env) }]
      : []),
  ]);
};

const printLine = (results) => {
  const slowest = results.at(-1);
  console.log('\n25 calls to a service that is a round trip of 40 ms away');
  for (const { name, milliseconds, requests } of results) {
    const ratio = (milliseconds / slowest.milliseconds).toFixed(3);
    console.log(
      `${name.padEnd(24)}${milliseconds.toFixed(0).padStart(11)} ms, ${ratio} x, ${requests} CreateSession`,
    );
  }
};

const print = ({ node, results, targets }) => {
  const row = (name, ...cells) =>
    console.log(name.padEnd(24) + cells.map((cell) => cell.padStart(11)).join(''));
  console.log(`\nNode.js ${node.slice(1)}, ${options.key} key, median of ${options.runs} runs`);
  row('', 'median ms', 'min ms', 'x bare', 'x floor', 'peak MiB');
  for (const { name, median, minimum, toBare, toFloor, peakMiB } of results) {
    const numbers = [median.toFixed(1), minimum.toFixed(1), toBare.toFixed(2), toFloor.toFixed(2)];
    row(name, ...numbers, peakMiB?.toFixed(1) ?? '-');
  }
  for (const { subject, baseline, limit, reached, met } of targets) {
    console.log(`${subject}: ${reached.toFixed(3)} x ${baseline}, ${met ? 'within' : 'OVER'} ${limit}`);
  }
};

const directory = await mkdtemp(join(tmpdir(), 'rolesanywhere-bench-'));
for (const profiles of [10, 10_000]) {
  const texts = Array.from(
    { length: profiles },
    (_, i) => `[p${i}]\naws_access_key_id = AKIA${i}\naws_secret_access_key = ${'x'.repeat(40)}\n\n`,
  );
  await writeFile(join(directory, `credentials-${profiles}`), texts.join(''), { mode: 0o600 });
}
const service = await startService(await writeCertificates(directory));
try {
  const reports = [];
  for (const wanted of options.node) {
    const runtime = await resolveRuntime(wanted);
    // The build made one for the Node.js that it ran on.
    await promisify(execFile)(runtime, [codeCache]);
    const report = await measure(runtime, directory, service.endpoint);
    reports.push(report);
    if (!options.json) print(report);
    if (Number(options.seconds) > 0) {
      report.serve = await measureServers(runtime, directory, service.endpoint);
      if (!options.json) printServers(report.serve);
    }
  }
  const line = await measureLine(service, directory);
  if (!options.json) printLine(line);
  if (options.json) console.log(JSON.stringify({ reports, line }, null, 2));
  else if (!existsSync('/usr/bin/time')) console.log('\npeak memory needs GNU time: apt-get install time');
} finally {
  service.close();
  await rm(directory, { recursive: true, force: true });
}
