import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { debianPrograms } from '../../scripts/postgres.mjs';

interface Part {
  /** The Debian package that brings it. */
  readonly package: string;
  /** What a test runs: always Debian's own, whatever else stands on PATH. */
  readonly path: string;
  /** The file that shows that the package is there, where that is not `path`. */
  readonly evidence?: string;
}

const debianTriplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

/** What the end-to-end tests need beside Node.js: real clients, an independent cryptography, shells. */
const parts = {
  openssl: { package: 'openssl', path: '/usr/bin/openssl' },
  aws: { package: 'awscli', path: '/usr/bin/aws' },
  boto3: {
    package: 'python3-boto3',
    path: '/usr/bin/python3',
    evidence: '/usr/lib/python3/dist-packages/boto3/__init__.py',
  },
  prometheus: {
    package: 'python3-prometheus-client',
    path: '/usr/bin/python3',
    evidence: '/usr/lib/python3/dist-packages/prometheus_client/__init__.py',
  },
  bash: { package: 'bash', path: '/bin/bash' },
  zsh: { package: 'zsh', path: '/usr/bin/zsh' },
  fish: { package: 'fish', path: '/usr/bin/fish' },
  softhsm: { package: 'softhsm2', path: '/usr/bin/softhsm2-util' },
  opensc: { package: 'opensc', path: '/usr/bin/pkcs11-tool' },
  p11Kit: { package: 'p11-kit-modules', path: `/usr/lib/${debianTriplet}/p11-kit-proxy.so` },
  p11KitHeaders: { package: 'libp11-kit-dev', path: '/usr/include/p11-kit-1/p11-kit/pkcs11.h' },
  gcc: { package: 'gcc', path: '/usr/bin/gcc' },
  cHeaders: { package: 'libc6-dev', path: '/usr/include/stdio.h' },
  pkcs11Spy: { package: 'opensc-pkcs11', path: `/usr/lib/${debianTriplet}/pkcs11/pkcs11-spy.so` },
  timeout: { package: 'coreutils', path: '/usr/bin/timeout' },
  strace: { package: 'strace', path: '/usr/bin/strace' },
  unshare: { package: 'util-linux', path: '/usr/bin/unshare' },
  python3: { package: 'python3', path: '/usr/bin/python3' },
  swtpm: { package: 'swtpm', path: '/usr/bin/swtpm' },
  tpm2Tools: { package: 'tpm2-tools', path: '/usr/bin/tpm2_getcap' },
  tpm2Openssl: {
    package: 'tpm2-openssl',
    path: '/usr/bin/openssl',
    evidence: '/usr/share/doc/tpm2-openssl/copyright',
  },
  tpm2Tcti: {
    package: 'libtss2-tcti-swtpm0',
    path: '/usr/bin/tpm2_getcap',
    evidence: '/usr/share/doc/libtss2-tcti-swtpm0/copyright',
  },
  postgres: { package: 'postgresql', path: `${debianPrograms()}/postgres` },
  psql: { package: 'postgresql-client', path: '/usr/bin/psql' },
  psycopg: {
    package: 'python3-psycopg2',
    path: '/usr/bin/python3',
    evidence: '/usr/lib/python3/dist-packages/psycopg2/__init__.py',
  },
  pyodbc: {
    package: 'python3-pyodbc',
    path: '/usr/bin/python3',
    evidence: '/usr/share/doc/python3-pyodbc/copyright',
  },
  psqlOdbc: { package: 'odbc-postgresql', path: `/usr/lib/${debianTriplet}/odbc/psqlodbcw.so` },
  java: { package: 'default-jre-headless', path: '/usr/bin/java' },
  pgJdbc: { package: 'libpostgresql-jdbc-java', path: '/usr/share/java/postgresql.jar' },
  qemuArm64: { package: 'qemu-user', path: '/usr/bin/qemu-aarch64' },
  arm64Libraries: { package: 'libc6-arm64-cross', path: '/usr/aarch64-linux-gnu' },
  rhino: { package: 'rhino', path: '/usr/share/java/js.jar' },
  dpkg: { package: 'dpkg', path: '/usr/bin/dpkg' },
  busybox: { package: 'busybox-static', path: '/bin/busybox' },
  systemdAnalyze: { package: 'systemd', path: '/usr/bin/systemd-analyze' },
  man: { package: 'man-db', path: '/usr/bin/man' },
  buildah: { package: 'buildah', path: '/usr/bin/buildah' },
  mandoc: { package: 'mandoc', path: '/usr/bin/mandoc' },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof parts;

const isThere = (part: Part): boolean => existsSync(part.evidence ?? part.path);

/**
 * The path of a system part. A test that needs a missing one fails by its name; it is never skipped.
 *
 * @throws Error when set-up could not install it
 */
export const requirePart = (name: PartName): string => {
  const part: Part = parts[name];
  if (!isThere(part)) {
    throw new Error(`missing system part: ${part.package} (apt-get install ${part.package})`);
  }
  return part.path;
};

const run = promisify(execFile);

/** Installs the missing parts from Debian's packages. Does nothing, and fast, when all are there. */
export const installParts = async (): Promise<void> => {
  const missing = Object.values<Part>(parts)
    .filter((part) => !isThere(part))
    .map((part) => part.package);
  if (missing.length === 0) return;

  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const aptGet = async (...words: string[]): Promise<void> => {
    const [command = '', ...rest] = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...words];
    await run(command, rest, { maxBuffer: 64 * 1024 * 1024 });
  };
  // Another apt-get may be at work: wait for it.
  const install = (): Promise<void> =>
    aptGet('install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...missing);
  try {
    await install();
  } catch {
    // The package lists may be absent (a fresh container) or older than the archive.
    await aptGet('update', '-q', '-o', 'DPkg::Lock::Timeout=300');
    await install();
  }
};
