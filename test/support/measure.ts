import { execFileSync } from 'node:child_process';
import { commandWords } from './emulator-process.ts';
import { requirePart } from './system-parts.ts';

const script = [
  'import json, resource, subprocess, sys, time',
  'started = time.time()',
  'done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)',
  'peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024',
  'print(json.dumps({"code": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode(),',
  '  "mebibytes": peak, "seconds": time.time() - started}))',
].join('\n');

/** Runs the built command to its end, and tells its peak memory in MiB, as the kernel counted it. */
export function measure(args: readonly string[]): {
  code: number;
  stdout: string;
  stderr: string;
  mebibytes: number;
  seconds: number;
} {
  const output = execFileSync(requirePart('python3'), ['-c', script, ...commandWords(), ...args]);
  return JSON.parse(output.toString()) as ReturnType<typeof measure>;
}
