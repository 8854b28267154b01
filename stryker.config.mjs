/** What is decided without doing anything: `npm run mutate` changes it in every way it knows, and some unit test must notice. */
export default {
  mutate: [
    'lib/**/*plan.ts',
    'lib/backups/**/retention.ts',
    'lib/postgres/lsn.ts',
    'lib/postgres/wal.ts',
    'lib/ports/leases.ts:42-60', // parsePort, parseRange
  ],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules'],
  jest: {
    config: { testMatch: ['<rootDir>/tests/unit/*/**/{*plan,*plan.property,retention,lsn,wal,leases}.test.ts'] },
  },
  // Of words, tests ask what the issue names; the rest is looked at by people.
  mutator: { excludedMutations: ['StringLiteral'] },
  coverageAnalysis: 'perTest',
  plugins: ['@stryker-mutator/jest-runner'],
  tsconfigFile: 'none', // it would want TypeScript 5's library to read ours
  concurrency: 2,
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { logTests: false, reportTests: false, allowColor: false },
};
