import everyday from '../../jest.config.mjs';

/** `npm run faults`: what is killed, filled up and crowded takes minutes of its own. */
export default { ...everyday, rootDir: '../..', roots: ['<rootDir>/tests/faults'] };
