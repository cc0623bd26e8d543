// `npm run build:deb`: a package for Debian and Ubuntu of each executable for glibc that stands in dist/: the command
// under both of its names, its manual page and a systemd unit (docs/installing.md).
//
//   dist/rolesanywhere_VERSION_ARCHITECTURE.deb
//
// The same source gives the same bytes: the files bear the time of SOURCE_DATE_EPOCH, or else npm's own for packages.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  cp,
  lutimes,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { manPage } from './man.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');
const parts = path.join(import.meta.dirname, 'debian');
const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? Date.parse('1985-10-26T08:15:00Z') / 1000);

/** Debian's names for what we build for. */
const architectures = { 'linux-x64': 'amd64', 'linux-arm64': 'arm64' };

const gzip = (text) => gzipSync(text, { level: 9 });

const control = (architecture, kibibytes) => `Package: rolesanywhere
Version: ${version}
Architecture: ${architecture}
Maintainer: rolesanywhere contributors
Installed-Size: ${kibibytes}
Depends: libc6 (>= 2.17)
Recommends: ca-certificates, libstdc++6
Section: admin
Priority: optional
Description: AWS credentials from a certificate, through IAM Roles Anywhere
 Temporary credentials for machines outside AWS, for the AWS CLI, every SDK and
 everything else on a machine, as a command (credential_process) and as a
 service. It takes the command lines of aws_signing_helper.
`;

const copyright = (licence, others) => `${licence}
The executable contains the work of others, under their licences:

${others}`;

/** Every file, folder and link under a folder, the folder itself included. */
async function contents(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return [
    { file: folder, entry: undefined },
    ...entries.map((entry) => ({ file: path.join(entry.parentPath, entry.name), entry })),
  ];
}

/** What the machine that builds would have a say in: who may read it (umask), and when it was made. */
async function settle(folder) {
  for (const { file, entry } of await contents(folder)) {
    const runs = entry === undefined || entry.isDirectory() || /\/(bin\/[^/]+|DEBIAN\/p[a-z]+)$/.test(file);
    if (!entry?.isSymbolicLink()) await chmod(file, runs ? 0o755 : 0o644);
    await lutimes(file, epoch, epoch);
  }
}

async function buildPackage(target, staging) {
  const architecture = architectures[target];
  const folder = path.join(staging, architecture);
  const read = (...words) => readFile(path.join(...words), 'utf8');
  const place = async (file, content) => {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), content);
  };
  const executable = await readFile(path.join(dist, `rolesanywhere-${target}`));
  await place('usr/bin/rolesanywhere', executable);
  await symlink('rolesanywhere', path.join(folder, 'usr/bin/aws_signing_helper'));
  await place('usr/share/man/man1/rolesanywhere.1.gz', gzip(await manPage(version)));
  await symlink('rolesanywhere.1.gz', path.join(folder, 'usr/share/man/man1/aws_signing_helper.1.gz'));
  await place('usr/lib/systemd/system/rolesanywhere.service', await read(parts, 'rolesanywhere.service'));
  await place('etc/default/rolesanywhere', await read(parts, 'default'));
  await mkdir(path.join(folder, 'etc/rolesanywhere'));
  const licences = await read(dist, 'rolesanywhere-LICENSES.txt');
  const documents = 'usr/share/doc/rolesanywhere';
  await place(`${documents}/copyright`, copyright(await read(root, 'LICENSE'), licences));
  await place(`${documents}/changelog.gz`, gzip(await read(root, 'CHANGELOG.md')));
  await place('DEBIAN/control', control(architecture, Math.ceil(executable.length / 1024)));
  await place('DEBIAN/conffiles', '/etc/default/rolesanywhere\n');
  for (const script of ['postinst', 'prerm', 'postrm'])
    await cp(path.join(parts, script), path.join(folder, 'DEBIAN', script));
  await settle(folder);
  const file = path.join(dist, `rolesanywhere_${version}_${architecture}.deb`);
  // gzip: xz takes ten times as long for a tenth less.
  const words = ['--root-owner-group', '-Zgzip', '--build', folder, file];
  await promisify(execFile)('dpkg-deb', words, { env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) } });
  return file;
}

const targets = Object.keys(architectures).filter((target) =>
  existsSync(path.join(dist, `rolesanywhere-${target}`)),
);
if (targets.length === 0)
  throw new Error('there is no executable for Debian in dist: run npm run build:exe first');
await mkdir(path.join(root, '.cache'), { recursive: true });
const staging = await mkdtemp(path.join(root, '.cache', 'deb-'));
try {
  for (const target of targets) console.log(await buildPackage(target, staging));
} finally {
  await rm(staging, { recursive: true, force: true });
}
