import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('npm run bench measures what is built', async () => {
  const words = ['bench/bench.mjs', '--runs', '1', '--seconds', '1', '--node', process.execPath, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  const {
    reports: [report],
    line: [cached, plain],
  } = JSON.parse(stdout) as {
    reports: [
      {
        results: { name: string; median: number }[];
        serve: { results: { name: string; requestsPerSecond: number }[] };
      },
    ];
    line: { requests: number; milliseconds: number }[];
  };
  expect(report.results.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['bare runtime', 'version', 'floor', 'credential-process']),
  );
  expect(report.serve.results.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['bare node:http', 'serve']),
  );
  for (const { requestsPerSecond } of report.serve.results) expect(requestsPerSecond).toBeGreaterThan(100);
  expect(cached?.requests).toBe(1);
  expect(plain?.requests).toBe(25);
  // 25 times three round trips of 40 ms, at the least.
  expect(plain?.milliseconds).toBeGreaterThan(3000);
  for (const { median } of report.results) expect(median).toBeGreaterThan(0);
});
