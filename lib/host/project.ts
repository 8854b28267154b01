import { fileURLToPath } from 'node:url';

// Set by lib/launch.cjs when it bundles; absent when the sources are run as they are (tests, a Node that reads TypeScript).
declare const PG_MANAGE_PROJECT: string | undefined;

/** The checkout: holds `templates/` and is the default root. Absolute. */
export const projectDirectory: string =
  typeof PG_MANAGE_PROJECT === 'string'
    ? PG_MANAGE_PROJECT
    : fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
