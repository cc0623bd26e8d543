import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('npm run bench measures what is built', async () => {
  const words = ['bench/bench.mjs', '--runs', '1', '--seconds', '1', '--node', process.execPath, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  const [report] = JSON.parse(stdout) as [
    {
      results: { name: string; median: number }[];
      serve: { results: { name: string; requestsPerSecond: number }[] };
    },
  ];
  expect(report.results.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['bare runtime', 'version', 'floor', 'credential-process']),
  );
  expect(report.serve.results.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['bare node:http', 'serve']),
  );
  for (const { requestsPerSecond } of report.serve.results) expect(requestsPerSecond).toBeGreaterThan(100);
  for (const { median } of report.results) expect(median).toBeGreaterThan(0);
});
