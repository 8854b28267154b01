import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { archiveFolderOf, prepareArchive } from '../backups/repository.ts';
import { sqlName } from '../databases/names.ts';
import { AppError } from '../errors.ts';
import { readCallersFile } from '../host/callers-files.ts';
import { adoptCluster, type Override, overridesOf } from '../instances/adopt.ts';
import { type Candidate, lookAtData, observeCandidate } from '../instances/adoptable.ts';
import { assertNameFree } from '../instances/create.ts';
import type { InstanceName } from '../instances/names.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { parsePort } from '../ports/leases.ts';
import { readDebianCluster } from '../postgres/debian.ts';
import { superuser } from '../postgres/initdb.ts';
import { chooseInstallation } from '../postgres/installations.ts';
import { isShipped, loadTemplate } from '../tuning/templates.ts';
import { instanceAction, type Outcome, type Text, type Values } from './action.ts';
import { defaultTimeoutMs, hadFinished, ownPrograms, summaryOutcome } from './shared.ts';
import { templatePath, tuningOptions } from './tuning-wishes.ts';

const options = {
  'data-dir': { type: 'string', describe: 'its data directory, as initdb made it' },
  'config-dir': { type: 'string', describe: 'the folder of its postgresql.conf, where that is not in the data' },
  cluster: { type: 'string', describe: "one of Debian's instead, as pg_lsclusters shows it: 15/main" },
  port: { type: 'string', alias: 'p', describe: 'another port than its own' },
  database: { type: 'string', alias: 'd', describe: 'the database that connect names (default: its only one)' },
  username: { type: 'string', alias: 'u', describe: "the role that connect names (default: the database's owner)" },
  'password-file': {
    type: 'string',
    describe: 'a file with the password of that role; without it, it is not known here',
  },
  'enable-checksums': { type: 'boolean', describe: 'write data checksums first, which takes reading all of it' },
  template: { type: 'string', alias: 't', describe: 'what tune would plan it by later (default production)' },
  overcommit: tuningOptions.overcommit,
} as const;

type Given = Values<typeof options>;

export const adopt = instanceAction({
  name: 'adopt',
  summary: 'take over a cluster that others made',
  details:
    "For clusters made by initdb, or by Debian's tools. The data stays where it is, and so do port, roles, databases and its own settings; archive, log and a socket of this tool's come beside them, and what they replace is shown first. A server that runs is stopped by its own manager and started by this tool; Debian's start.conf then says disabled, so that no two managers start it. Whatever fails, all is as it was. release gives it back.",
  examples: [
    ['./manage.ts adopt shop --cluster 15/main --dry-run', 'what would change'],
    ['./manage.ts --action adopt --instance shop --cluster 15/main', 'asks, then takes it over'],
    ['./manage.ts adopt shop --data-dir /srv/pgdata', 'one that initdb has made'],
  ],
  options,
  target: 'new',
  lock: 'exclusive',
  changes: true,
  check(given, { several, callerFolder }) {
    if (several) throw new AppError('USAGE', 'adopt takes one instance: a cluster has one name');
    if ((given.cluster === undefined) === (given['data-dir'] === undefined)) {
      throw new AppError('USAGE', 'adopt needs either --data-dir FOLDER or --cluster VERSION/NAME', {
        hint: "see Debian's clusters with: pg_lsclusters",
      });
    }
    if (given.port !== undefined) parsePort(given.port);
    if (given.database !== undefined) sqlName('database', given.database);
    if (given.username !== undefined) sqlName('username', given.username);
    loadTemplate(templatePath(callerFolder, given.template ?? 'production'));
  },
  async run(context, name, given) {
    if (hadFinished(context, 'adopt')) return summaryOutcome(context, name);
    assertNameFree(context, name);
    const { places, task, bindir, callerFolder } = context;
    const place = (path: string): string => resolve(callerFolder, path);
    const cluster = given.cluster === undefined ? undefined : readDebianCluster(given.cluster);
    const data = cluster?.data ?? place(given['data-dir'] ?? '');
    const config = cluster?.config ?? (given['config-dir'] === undefined ? undefined : place(given['config-dir']));
    const { major } = lookAtData(places, data);
    const installation = await chooseInstallation({ bindir, major }, ownPrograms(context), task.signal);
    const observing = { places, leases: context.leases, signal: task.signal };
    const candidate = await observeCandidate(observing, installation, {
      name,
      data,
      config,
      cluster,
      port: given.port,
      enableChecksums: given['enable-checksums'] === true,
    });
    const overrides = overridesOf(candidate, places, name, archiveFolderOf(places, name));
    if (context.dryRun) return planned(name, candidate, overrides, given);
    const password = given['password-file'] === undefined ? undefined : readPassword(place(given['password-file']));
    context.dialogue.show(planText(name, candidate, overrides, given));
    const stops = candidate.running === undefined ? '' : ', stopping its server for a moment';
    await context.dialogue.confirm(`This takes ${candidate.data} over as ${name}${stops}`, name);
    const template = loadTemplate(templatePath(callerFolder, given.template ?? 'production'));
    const id = randomUUID();
    const record = await adoptCluster(context, candidate, {
      id,
      name,
      installation,
      template: template.name,
      templateFile: isShipped(template) ? undefined : template.path,
      prepareArchive: () => prepareArchive(context, name, id),
      role: given.username,
      database: given.database,
      password,
      enableChecksums: given['enable-checksums'] === true,
      budgetShare: context.budgetShare,
      overcommit: given.overcommit === true,
      timeoutMs: context.timeoutMs ?? defaultTimeoutMs,
    });
    const { data: fields, text } = summaryOutcome(context, name);
    const lines = [
      `its data stays in ${candidate.data}; connect names role ${record.role} and database ${record.database}`,
      ...(password === undefined ? [unknownPassword(record)] : []),
      `take a backup now: ./manage.ts backup ${name}`,
    ];
    return {
      data: { ...fields, adopted: record.adopted, overrides },
      text: [...text, ...lines.map((line) => ({ line }))],
    };
  },
});

/** Clients go on with what they have; this is for who asks connect. */
function unknownPassword({ name, role }: InstanceRecord): string {
  return role === superuser
    ? `for a login by password: ./manage.ts create-user ${name} -u ROLE, then: ./manage.ts connect ${name} -u ROLE`
    : `the password of ${role} is not known here; a new one, for all its clients: ./manage.ts create-user ${name} -u ${role} --new-password`;
}

function readPassword(path: string): string {
  return readCallersFile(path).trim();
}

function planText(name: InstanceName, candidate: Candidate, overrides: readonly Override[], given: Given): Text[] {
  const { data, cluster, port, major, running, checksums, configuration } = candidate;
  const more = optionsOf(running?.command ?? []);
  const lines = [
    `${data} becomes instance ${name}: PostgreSQL ${major}, port ${port}; the data stays where it is`,
    running === undefined
      ? 'it is stopped, and will run'
      : 'it runs; it is stopped by its own manager and started again',
    ...(more === '' ? [] : [`it was started with ${more}: that does not come along, but for the port`]),
    ...(cluster === undefined ? [] : [`${cluster.startConf} will say disabled: only this tool starts it`]),
    ...(configuration.folder === data
      ? []
      : [`its configuration is copied from ${configuration.folder} into the data`]),
    'over sockets, role postgres logs in as the account of the data, or root: two rules in front of its own',
    ...(checksums === false && given['enable-checksums'] !== true
      ? ['it has no data checksums: damage goes unnoticed longer; --enable-checksums writes them first']
      : []),
    ...(overrides.length === 0 ? [] : ['what is set otherwise than its own files say:']),
    ...overrides.filter(isTold).map(({ setting, was, becomes, why }) => {
      return `  ${setting} = ${becomes}, was ${was === '' ? 'empty' : was}: ${why}`;
    }),
  ];
  return lines.map((line) => ({ line }));
}

/** What its command line says beside where the data and the configuration are. */
function optionsOf(command: readonly string[]): string {
  return command
    .slice(1)
    .join(' ')
    .replaceAll(/(?:^|\s)-D ?\S+|(?:^|\s)-c ?config_file=\S+/g, '')
    .trim();
}

/** How the log is named and turned follows from where it is. */
function isTold({ setting }: Override): boolean {
  return !/^log_(?!directory|line)/.test(setting);
}

function planned(name: InstanceName, candidate: Candidate, overrides: Override[], given: Given): Outcome {
  const { data, port, major, running, checksums, cluster } = candidate;
  return {
    data: {
      name,
      dataDirectory: data,
      port,
      version: major,
      runs: running !== undefined,
      checksums: checksums ?? null,
      cluster: cluster?.id ?? null,
      overrides,
    },
    text: [{ line: `would adopt it:` }, ...planText(name, candidate, overrides, given)],
  };
}
