import type { Options } from '../actions/action.ts';

/** The options that every action has, by the contract. */
export const commonOptions = {
  root: { type: 'string', describe: 'holds instances/ and backups/ [PG_MANAGE_ROOT]' },
  backups: { type: 'string', describe: 'the repository, if not ROOT/backups [PG_MANAGE_BACKUPS]' },
  json: { type: 'boolean', describe: 'print one JSON document' },
  quiet: { type: 'boolean', describe: 'print nothing on success' },
  yes: { type: 'boolean', alias: 'y', describe: 'answer the confirmation with yes' },
  'dry-run': { type: 'boolean', describe: 'print the plan, change nothing' },
  timeout: { type: 'number', describe: 'seconds to wait for the goal; running out kills nothing' },
  'lock-timeout': { type: 'number', describe: 'seconds to wait for another operation (default 30)' },
  jobs: { type: 'number', describe: 'how many instances at once' },
  'pg-version': { type: 'number', describe: 'which major version of PostgreSQL, 13 to 18' },
  bindir: { type: 'string', describe: "the folder of PostgreSQL's programs [PG_MANAGE_BINDIR]" },
  'run-as': {
    type: 'string',
    describe: 'when root: the account that owns the data (default postgres) [PG_MANAGE_RUN_AS]',
  },
  color: { type: 'boolean', describe: 'use --no-color for none [NO_COLOR]' },
  verbose: { type: 'boolean', describe: 'show more, also of errors' },
} as const satisfies Options;

/** How the action and its object are named; also as words without dashes. */
export const addressOptions = {
  action: { type: 'string', alias: 'a', describe: 'what to do' },
  instance: { type: 'string', alias: 'i', describe: "a name, a comma list, a quoted glob ('client-*'), or all" },
} as const satisfies Options;
