import { join } from 'node:path';
import { readCallersFile } from '../host/callers-files.ts';
import { exists, readText } from '../host/files.ts';
import { ensureFolder, removeFile } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { loopbackHost } from '../host/loopback.ts';
import { projectDirectory } from '../host/project.ts';
import { dataOwner } from '../host/users.ts';
import { findPacker } from '../postgres/codecs.ts';
import { superuser } from '../postgres/initdb.ts';
import type { InstanceName } from './names.ts';
import type { InstancePaths } from './places.ts';

export interface ServerIdentity {
  name: InstanceName;
  port: number;
  /** Where the server archives its WAL to. */
  archiveFolder: string;
  /** Lasting identity, which the archive must have been made for. */
  id: string;
  systemIdentifier: string;
  /** Of an adopted one: settings of its own that win over ours. */
  adopted?: { settings: Readonly<Record<string, string>> } | undefined;
}

/** The file in the data directory that holds the plan. */
export { planFile as plannedConfiguration } from '../tuning/render.ts';
/** The file in the data directory that this tool owns; the one an operator edits, postgresql.conf, ends by including it. */
export const ownConfiguration = 'pg-manage.conf';
/** Settings of a recovery; there only while a restored server has not finished it. */
export const recoveryConfiguration = 'pg-manage.recovery.conf';

/** The role that an instance's pooler looks up secrets as; see lib/pooler/secrets.ts. */
export const poolerRole = 'pgmanage_pooler';

/** The role that an instance's WAL is received as, and the name of the slot that keeps it for the receiver; see lib/receiver. */
export const receiverRole = 'pgmanage_receiver';

/** The text of postgresql.conf that must stand in it for ours to be read. */
export const includeLine = `include '${ownConfiguration}'`;

/**
 * Writes what the tool decides for a server: port, socket, log, archive, and the scripts these name, all below the root so
 * that the checkout may move or go. Done before every start, so a restored or moved instance gets its own values.
 */
export function writeOwnConfiguration(paths: InstancePaths, identity: ServerIdentity): void {
  for (const folder of [paths.log, paths.socket]) ensureFolder(folder);
  writeIfChanged(paths.archiveScript, template('archive-wal.sh'), 0o700);
  writeIfChanged(join(paths.data, ownConfiguration), renderOwnConfiguration(paths, identity));
  writeIdent(paths);
  // A restore whose waiting ended before its recovery did could not take these away.
  if (!exists(join(paths.data, 'recovery.signal'))) removeFile(join(paths.data, recoveryConfiguration));
  ensureIncluded(paths);
}

/** The first rules of templates/pg_hba.conf: the tool's own way in. */
export function ownAccessRules(): string {
  return template('pg_hba.conf')
    .split('\n')
    .filter((line) => line.includes('map=pg_manage'))
    .join('\n');
}

/** The access rules that create puts into the data directory; an operator's edits there are kept afterwards. */
export function writeAccessRules(paths: InstancePaths): void {
  writeFileForGood(join(paths.data, 'pg_hba.conf'), template('pg_hba.conf'));
}

/** What the tool decides for a server, by the names of settings. */
export function ownSettings(paths: InstancePaths, identity: ServerIdentity): ReadonlyMap<string, string | number> {
  const { name, port, archiveFolder, id, systemIdentifier, adopted } = identity;
  const given = [archiveFolder, id, systemIdentifier, findPacker()];
  const archive = shellCommand([paths.archiveScript, Raw.path, Raw.name, ...given]);
  const settings: [string, string | number][] = [
    ['port', port],
    ['listen_addresses', loopbackHost()],
    ['unix_socket_directories', paths.socket],
    ['cluster_name', name],
    ['hba_file', join(paths.data, 'pg_hba.conf')],
    ['ident_file', join(paths.data, 'pg_ident.conf')],
    ['wal_level', 'replica'],
    ['archive_mode', 'on'],
    ['archive_command', archive],
    ['archive_timeout', 60],
    ['logging_collector', 'on'],
    ['log_directory', paths.log],
    ['log_filename', 'postgresql-%a.log'],
    ['log_rotation_age', '1d'],
    ['log_rotation_size', 0],
    ['log_truncate_on_rotation', 'on'],
    ['log_line_prefix', '%m [%p] %q%u@%d '],
  ];
  const all = new Map([...settings, ...Object.entries(adopted?.settings ?? {})]);
  const theirs = adopted?.settings['unix_socket_directories'] ?? '';
  return all.set('unix_socket_directories', theirs === '' ? paths.socket : `${paths.socket}, ${theirs}`);
}

function renderOwnConfiguration(paths: InstancePaths, identity: ServerIdentity): string {
  const { name } = identity;
  const head = [
    `# ${name}: what pg-manage decides. Rewritten before every start: edit postgresql.conf instead.`,
    '# Logs: one file a weekday, overwritten after a week.',
    '',
  ];
  const lines = [...ownSettings(paths, identity)].map(([key, value]) => `${key} = ${quoteSetting(value)}`);
  return [...head, ...lines, '', `include_if_exists '${recoveryConfiguration}'`, ''].join('\n');
}

/** Writes which accounts of the system may be which roles over the socket; says whether the file was another before. */
export function writeIdent(paths: InstancePaths): boolean {
  const file = join(paths.data, 'pg_ident.conf');
  return writeIfChanged(file, amongOthers(readText(file), renderIdent()));
}

const [blockBegin, blockEnd] = ['# pg-manage: begin (release takes these lines away)', '# pg-manage: end'];

/** Text of ours in front of a file that was others' before, as a block that can be found again. */
export function asBlock(ours: string, others: string): string {
  return `${blockBegin}\n${ours.trimEnd()}\n${blockEnd}\n${others}`;
}

/** The text without our block. */
export function withoutBlock(text: string): string {
  const [begin, end] = [text.indexOf(`${blockBegin}\n`), text.indexOf(`${blockEnd}\n`)];
  return begin < 0 || end < begin ? text : text.slice(0, begin) + text.slice(end + blockEnd.length + 1);
}

/** In a file with a block of ours, the block is replaced; any other is ours as a whole. */
function amongOthers(text: string | undefined, ours: string): string {
  return text?.includes(`${blockBegin}\n`) ? asBlock(ours, withoutBlock(text)) : ours;
}

/** The account that owns the data, and root, may be the superuser over the socket; what runs beside the server as that account has roles of its own. */
export function renderIdent(): string {
  const owner = dataOwner().name;
  const names = [...new Set([owner, 'root'])];
  const rows = [...names.map((name) => [name, superuser]), [owner, poolerRole], [owner, receiverRole]].map(
    ([name, role]) => `pg_manage  ${JSON.stringify(name)}  ${role}`,
  );
  return ['# Written by pg-manage before every start.', '# MAP  SYSTEM-USER  POSTGRES-ROLE', ...rows, ''].join('\n');
}

/** A value as postgresql.conf writes it: a doubled quote is read as one, and backslash escapes (GUC_scanstr in guc-file.l). */
export function quoteSetting(value: string | number): string {
  if (typeof value === 'number') return String(value);
  return `'${value
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "''")
    .replaceAll('\n', String.raw`\n`)}'`;
}

/** The placeholders that the server fills in, in commands it runs. */
export const Raw = { path: '%p', name: '%f' } as const;

/** A command line for /bin/sh in which only the server's placeholders are not literal. */
export function shellCommand(parts: readonly string[]): string {
  const placeholders: readonly string[] = Object.values(Raw);
  return parts
    .map((part) =>
      placeholders.includes(part) ? `"${part}"` : `'${part.replaceAll("'", String.raw`'\''`).replaceAll('%', '%%')}'`,
    )
    .join(' ');
}

function ensureIncluded(paths: InstancePaths): void {
  const file = join(paths.data, 'postgresql.conf');
  const text = readText(file) ?? '';
  if (text.split('\n').some((line) => line.trim().startsWith(includeLine))) return;
  writeFileForGood(file, `${text.trimEnd()}\n\n${includeLine}\n`);
}

function template(name: string): string {
  return readCallersFile(join(projectDirectory, 'templates', name));
}

function writeIfChanged(path: string, text: string, mode?: number): boolean {
  if (exists(path) && readText(path) === text) return false;
  writeFileForGood(path, text, mode);
  return true;
}
