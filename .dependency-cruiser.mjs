// Which folder of src/ may import which. Each folder may import the ones above it in this list and the common
// files; the reasons stand in docs/architecture.md.
const layers = [
  'encoding/',
  'certificate/',
  'key/',
  'identity/',
  'sigv4/',
  'aws/',
  'credentials/',
  // Neighbours: neither may import the other.
  ['serve/', 'redshift/'],
];

const common = ['errors.ts', 'secret.ts', 'reporter.ts', 'runtime/'];
const anyOf = (paths) => `^src/(${paths.map((path) => path.replace('.', '\\.')).join('|')})`;

/** `from` may import what `allowed` lists, the common files and its own folder, and nothing else of src/. */
const mayImport = (from, allowed, comment) => ({
  name: `imports-of-${from.replace(/\W*(ts)?$/, '')}`,
  comment,
  severity: 'error',
  from: { path: anyOf([from]) },
  to: { path: '^src/', pathNot: anyOf([...common, from, ...allowed]) },
});

const layerRules = layers.flat().map((from) => {
  const height = layers.findIndex((layer) => layer === from || layer.includes?.(from));
  return mayImport(from, layers.slice(0, height).flat(), 'a folder imports only the layers below it');
});

const loadedLate = ['yargs', 'undici', '@peculiar/x509', '@smithy/', '@aws-crypto/', '@noble/', 'pg/'];
const native = ['pkcs11js', 'graphene-pk11', 'koffi', 'ffi-napi', 'ffi-rs', 'bun:ffi', 'node:ffi', 'ffi'];

export default {
  forbidden: [
    ...layerRules,
    mayImport('runtime/', [], 'the door to the runtime knows nothing of what lies behind it'),
    mayImport('emulator/', [], 'the verifier shares no code with the signer: a bug on both sides would pass'),
    {
      name: 'common-files-import-nothing',
      severity: 'error',
      from: { path: '^src/(errors|secret|reporter)\\.ts$' },
      to: {},
    },
    {
      name: 'only-bin-imports-cli',
      severity: 'error',
      from: { path: '^(src|scripts)/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'nothing-imports-index',
      comment: 'index.ts is the door for users; inside, import the file itself',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/index\\.ts$' },
    },
    {
      name: 'process-only-in-bin-cli-runtime',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(cli|runtime)/' },
      to: { path: '^(node:)?process$' },
    },
    {
      name: 'terminal-only-in-bin-cli',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^(node:)?(console|tty|readline|readline/promises|repl)$' },
    },
    {
      name: 'native-modules-behind-their-door',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(key/pkcs11|runtime)/' },
      to: { path: `(^|node_modules/)(${native.join('|')})(/|$)|\\.node$` },
    },
    {
      name: 'heavy-libraries-load-late',
      comment: 'each costs 20 to 110 ms at start-up: await import() it where it is needed',
      severity: 'error',
      // The emulator and the full reading of a command line are themselves imported late.
      from: { path: '^src/', pathNot: '^src/emulator/' },
      to: {
        path: `(^|node_modules/)(${loadedLate.join('|')})`,
        dynamic: false,
        dependencyTypesNot: ['type-only'],
      },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      // scripts/executable.mjs puts the addon beside the bundle; bun:ffi is there in the executable.
      to: { couldNotResolve: true, pathNot: '^(\\./pkcs11\\.node|bun:ffi)$' },
    },
    {
      name: 'bun-only-in-the-executable',
      comment: 'the build puts src/runtime/bun/X.ts in the place of src/runtime/X.ts; nothing else names it',
      severity: 'error',
      from: { path: '^(src|scripts|bench)/', pathNot: '^src/(runtime/bun/|cli/standalone\\.ts)' },
      to: { path: '^src/runtime/bun/' },
    },
    {
      name: 'no-development-packages-in-the-product',
      severity: 'error',
      from: { path: '^(bin|src)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'product-imports-no-tests',
      severity: 'error',
      from: { path: '^(bin|src)/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^dist/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
