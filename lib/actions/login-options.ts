import type { Options } from './action.ts';

/** For actions that use or hand out a login. */
export const loginOptions = {
  username: { type: 'string', alias: 'u', describe: "a role made with create-user (default: the instance's)" },
  database: { type: 'string', alias: 'd', describe: "instead of the instance's own" },
} as const satisfies Options;
