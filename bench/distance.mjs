// What the cache saves over a long line: 25 runs one after another, as a script of AWS CLI commands makes them, to a
// service that is a round trip of 40 ms away.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';

const roundTrip = 40;
const calls = 25;

/**
 * @param subjects each with its name and what makes one run
 * @returns what all runs of each took, in milliseconds, and how many requests the service got from them
 */
export const measureDistance = async (endpoint, requests, subjects) => {
  const line = await startLine(Number(new URL(endpoint).port));
  try {
    const results = [];
    for (const { name, run } of subjects) {
      const before = requests();
      const start = performance.now();
      for (let call = 0; call < calls; call++) await run(`https://127.0.0.1:${line.address().port}`);
      results.push({ name, milliseconds: performance.now() - start, requests: requests() - before });
    }
    return results;
  } finally {
    line.close();
  }
};

/** Passes connections on to the port, each byte half a round trip later; the first ones a whole one more, as if for SYN. */
const startLine = async (port) => {
  const line = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    let open = Date.now() + roundTrip;
    near.on('data', (bytes) => {
      const wait = Math.max(open - Date.now(), 0) + roundTrip / 2;
      setTimeout(() => far.write(bytes), wait);
    });
    far.on('data', (bytes) => setTimeout(() => near.write(bytes), roundTrip / 2));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      one.on('error', () => other.destroy());
      one.on('close', () => setTimeout(() => other.destroy(), roundTrip));
    }
  }).listen(0, '127.0.0.1');
  await once(line, 'listening');
  return line;
};
