import { availableParallelism } from 'node:os';

export default {
  testEnvironment: 'node',
  roots: ['unit', 'cli', 'integration', 'runbooks'].map((folder) => `<rootDir>/tests/${folder}`), // and npm run faults
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/tests/esbuild-transform.mjs' },
  testSequencer: '<rootDir>/tests/longest-first.mjs',
  maxWorkers: availableParallelism() + 2, // a test waits for servers a good part of its time
  testTimeout: 120_000,
};
