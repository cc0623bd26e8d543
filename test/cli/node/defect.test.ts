import { describe, expect, it } from 'vitest';
import { run } from '../../support/command.ts';

describe('a defect', () => {
  // A preloaded module breaks what the command relies on.
  const broken = (what: string) => ({
    NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(what)}"`,
  });
  const text = `Object.fromEntries = () => { throw new TypeError('CANARY\\n  at CANARY'.toLowerCase()) };`;
  const line = ['credential-process', '--trust-anchor-arn=T', '--profile-arn=P', '--role-arn=R'];

  it('is exit code 1, without a stack', async () => {
    const { code, stdout, stderr } = await run(line, { env: broken(text) });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: .*TypeError.*\nrolesanywhere: hint: .*\n$/);
    expect(stderr).not.toContain('canary');
  });

  it('shows with --debug where it came from, but not what it says', async () => {
    const { code, stderr } = await run([...line, '--debug'], { env: broken(text) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^rolesanywhere: debug: +at /m);
    expect(stderr).not.toContain('canary');
  });

  it('that waits for what never comes is told the same way', async () => {
    const deaf = `import fs from 'node:fs'; fs.read = () => undefined;`;
    const words = ['read-certificate-data', '--certificate', '-'];
    const { code, stdout, stderr } = await run(words, { env: broken(deaf) });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: .*\nrolesanywhere: hint: .*\n$/);
  });

  it('in the background is told the same way', async () => {
    const later = `setTimeout(() => { Promise.reject(new RangeError('CANARY'.toLowerCase())) }, 300);`;
    const { code, stdout, stderr } = await run(['emulator'], { env: broken(later) });
    expect(code).toBe(1);
    expect(stdout).not.toContain('canary');
    expect(stderr).toMatch(/^rolesanywhere: error: .*RangeError.*\nrolesanywhere: hint: .*\n$/);
  });
});
