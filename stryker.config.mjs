/** What is decided without doing anything: `npm run mutate` changes it in every way it knows, and some unit test must notice. */
export default {
  mutate: [
    'lib/**/{plan,plan-*,*-plan,retention}.ts',
    'lib/postgres/{lsn,wal}.ts',
    'lib/ports/leases.ts:42-60', // parsePort, parseRange
    'lib/backups/timelines.ts:47-68', // timelineNow, leadsTo
    'lib/rollout.ts',
    'lib/tuning/{budget,derive,fit,guards}.ts',
    'lib/instances/names.ts',
  ],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules'],
  jest: {
    config: {
      testMatch: [
        '<rootDir>/tests/unit/**/*{plan,retention,lsn,wal,leases,timelines,rollout,names}*.test.ts',
        '<rootDir>/tests/unit/tuning/*.test.ts',
        '<rootDir>/tests/unit/fleet/*.test.ts',
      ],
    },
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
