import type { Action } from './action.ts';

interface Entry {
  /** Headings of the help. */
  group: 'instances' | 'databases' | 'migrations' | 'backups' | 'host';
  summary: string;
  load: () => Promise<Action>;
}

/** Every action there is. Each is loaded only when it is asked for: a `list` does not read the code of a `restore`. */
export const actions = {
  create: entry('instances', 'make a new instance and start it', async () => (await import('./create.ts')).create),
  start: entry('instances', 'start, and wait until it answers', async () => (await import('./start.ts')).start),
  stop: entry('instances', 'stop, and prove that it has stopped', async () => (await import('./stop.ts')).stop),
  restart: entry('instances', 'stop and start', async () => (await import('./restart.ts')).restart),
  tune: entry('instances', 'plan memory and settings anew, and say why', async () => (await import('./tune.ts')).tune),
  upgrade: entry(
    'instances',
    'run the newest installed minor release',
    async () => (await import('./upgrade.ts')).upgrade,
  ),
  status: entry('instances', 'how an instance is', async () => (await import('./status.ts')).status),
  monitor: entry(
    'instances',
    'how they are, on a screen that goes on',
    async () => (await import('./monitor.ts')).monitor,
  ),
  list: entry('instances', 'all instances at a glance', async () => (await import('./list.ts')).list),
  connect: entry('instances', 'how clients connect', async () => (await import('./connect.ts')).connect),
  pooler: entry(
    'instances',
    'a connection pooler in front of an instance',
    async () => (await import('./pooler.ts')).pooler,
  ),
  logs: entry('instances', "the end of the server's log", async () => (await import('./logs.ts')).logs),
  psql: entry('instances', "psql on an instance's database", async () => (await import('./psql.ts')).psql),
  exec: entry('instances', 'run a program with DATABASE_URL set', async () => (await import('./exec.ts')).exec),
  env: entry('instances', 'write the login into a .env file', async () => (await import('./env.ts')).env),
  destroy: entry(
    'instances',
    'stop, and move the data to quarantine',
    async () => (await import('./destroy.ts')).destroy,
  ),
  rename: entry('instances', 'give an instance another name', async () => (await import('./rename.ts')).rename),
  move: entry('instances', 'bring its data to another disk', async () => (await import('./move.ts')).move),
  adopt: entry('instances', 'take over a cluster that others made', async () => (await import('./adopt.ts')).adopt),
  release: entry('instances', 'give an adopted cluster back', async () => (await import('./release.ts')).release),
  'create-db': entry(
    'databases',
    'make a database in an instance',
    async () => (await import('./create-db.ts')).createDb,
  ),
  'drop-db': entry('databases', 'take a database away', async () => (await import('./drop-db.ts')).dropDb),
  'create-user': entry(
    'databases',
    'make a role that may log in',
    async () => (await import('./create-user.ts')).createUser,
  ),
  'drop-user': entry('databases', 'take a role away', async () => (await import('./drop-user.ts')).dropUser),
  'db-stats': entry('databases', 'how a database is used', async () => (await import('./db-stats.ts')).dbStats),
  apply: entry('instances', 'make all as a file says', async () => (await import('./apply.ts')).apply),
  export: entry(
    'instances',
    'write the file that apply reads, of what is',
    async () => (await import('./export.ts')).exportFleet,
  ),
  migrate: entry('migrations', 'apply pending migration files', async () => (await import('./migrate.ts')).migrate),
  'migrate-status': entry(
    'migrations',
    'which migrations are applied, and by which runs',
    async () => (await import('./migrate-status.ts')).migrateStatus,
  ),
  seed: entry('migrations', 'fill a database from SQL files', async () => (await import('./seed.ts')).seed),
  inject: entry(
    'databases',
    'make databases, roles and data of one file',
    async () => (await import('./inject.ts')).inject,
  ),
  'validate-injection': entry(
    'databases',
    'check such a file',
    async () => (await import('./validate-injection.ts')).validateInjection,
  ),
  drift: entry('migrations', 'whether siblings have the same schema', async () => (await import('./drift.ts')).drift),
  'migrate-list': entry(
    'migrations',
    'the files of a migrations folder, as they are understood',
    async () => (await import('./migrate-list.ts')).migrateList,
  ),
  'migrate-rollback': entry(
    'migrations',
    'undo the newest migrations',
    async () => (await import('./migrate-rollback.ts')).migrateRollback,
  ),
  'migrate-init': entry(
    'migrations',
    "make the history, or take over another tool's",
    async () => (await import('./migrate-init.ts')).migrateInit,
  ),
  backup: entry(
    'backups',
    'take a backup and prove it by a test restore',
    async () => (await import('./backup.ts')).backup,
  ),
  'list-backups': entry(
    'backups',
    'the backups of an instance',
    async () => (await import('./list-backups.ts')).listBackups,
  ),
  'verify-backup': entry(
    'backups',
    'prove a backup again by a test restore',
    async () => (await import('./verify-backup.ts')).verifyBackup,
  ),
  restore: entry(
    'backups',
    'bring an instance back, in place or beside',
    async () => (await import('./restore.ts')).restore,
  ),
  clone: entry('backups', 'a new instance with the data of another', async () => (await import('./clone.ts')).clone),
  'restore-point': entry(
    'backups',
    'name this moment, to restore to it by name',
    async () => (await import('./restore-point.ts')).restorePoint,
  ),
  prove: entry(
    'backups',
    'restore the newest backup and all WAL since, beside',
    async () => (await import('./prove.ts')).prove,
  ),
  check: entry(
    'backups',
    'fail when an instance could not be brought back',
    async () => (await import('./check.ts')).check,
  ),
  schedule: entry(
    'backups',
    'have backups taken, proven and removed regularly',
    async () => (await import('./schedule.ts')).schedule,
  ),
  'cleanup-backups': entry(
    'backups',
    'remove backups and WAL that no rule keeps',
    async () => (await import('./cleanup-backups.ts')).cleanupBackups,
  ),
  'delete-backup': entry('backups', 'remove one backup', async () => (await import('./delete-backup.ts')).deleteBackup),
  'clear-alarm': entry(
    'backups',
    'end the alarm that damage has raised',
    async () => (await import('./clear-alarm.ts')).clearAlarm,
  ),
  install: entry(
    'host',
    'make this machine ready, and say what it lacks',
    async () => (await import('./install.ts')).install,
  ),
  uninstall: entry(
    'host',
    'take away what install has made, and all units',
    async () => (await import('./uninstall.ts')).uninstall,
  ),
  budget: entry(
    'host',
    "this host's memory, and who may take how much of it",
    async () => (await import('./budget.ts')).budget,
  ),
  ports: entry('host', 'which ports are held, and who listens', async () => (await import('./ports.ts')).ports),
  autostart: entry(
    'host',
    'bring instances back when the machine comes up',
    async () => (await import('./autostart.ts')).autostart,
  ),
  recover: entry(
    'host',
    'finish or undo what killed operations left',
    async () => (await import('./recover.ts')).recover,
  ),
  diagnose: entry('host', 'what is wrong, why, and what to type', async () => (await import('./diagnose.ts')).diagnose),
  problems: entry(
    'host',
    'a registry of what went wrong, now and over time',
    async () => (await import('./problems.ts')).problems,
  ),
  metrics: entry(
    'host',
    'what Prometheus wants to know of all of them',
    async () => (await import('./metrics.ts')).metrics,
  ),
  audit: entry('host', 'who did what, and what came of it', async () => (await import('./audit.ts')).audit),
  config: entry(
    'host',
    'the settings in force and where each comes from',
    async () => (await import('./config.ts')).config,
  ),
} as const satisfies Record<string, Entry>;

export type ActionName = keyof typeof actions;

/** Other words for an action, as people know them from other tools. */
export const aliases: Readonly<Record<string, ActionName>> = { doctor: 'diagnose' };

function entry(group: Entry['group'], summary: string, load: Entry['load']): Entry {
  return { group, summary, load };
}

export function isActionName(name: string): name is ActionName {
  return Object.hasOwn(actions, name);
}
