import { AppError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { settingNames, settingVersions } from './names.ts';

/** Why a setting may not stand where it stands, and what to do about it. */
export interface Objection {
  message: string;
  hint: string;
}

const settingForm = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/;

const decidedBy = {
  ports: 'the tool leases ports; choose one with --port',
  addresses: 'the tool decides it when the instance is created (loopback unless told otherwise)',
  sockets: 'the tool keeps the sockets in the instance’s folder',
  archive: 'the tool archives WAL into the repository, and its backups rest on that',
  folders: 'the tool keeps the instance’s files together in its folder',
  log: 'the tool keeps the server’s log in the instance’s folder, where --action logs reads it',
  recovery: 'it belongs to a restore; see --action restore',
  files: 'the tool writes postgresql.conf and what it includes; edit that file by hand instead',
} as const;

/** What the tool itself decides, in `pg-manage.conf`: refused in templates and wishes, or two places would disagree. */
const owned: Record<string, keyof typeof decidedBy> = {
  port: 'ports',
  listen_addresses: 'addresses',
  unix_socket_directories: 'sockets',
  archive_mode: 'archive',
  archive_command: 'archive',
  archive_library: 'archive',
  archive_timeout: 'archive',
  data_directory: 'folders',
  config_file: 'folders',
  hba_file: 'folders',
  ident_file: 'folders',
  external_pid_file: 'folders',
  cluster_name: 'folders',
  log_directory: 'log',
  logging_collector: 'log',
  log_filename: 'log',
  log_line_prefix: 'log',
  log_rotation_age: 'log',
  log_rotation_size: 'log',
  log_truncate_on_rotation: 'log',
  restore_command: 'recovery',
  include: 'files',
  include_dir: 'files',
  include_if_exists: 'files',
};

/** The settings that trade committed data for speed (doc "Non-Durable Settings"). */
const durability = ['fsync', 'full_page_writes', 'synchronous_commit'];

/** What is wrong with a setting in any version and any template; undefined when nothing is. */
export function objectionTo(name: string, value: string): Objection | undefined {
  if (!settingForm.test(name)) {
    return {
      message: `"${name}" is not the name of a setting`,
      hint: 'write it in lower case, an extension’s own with its prefix: pg_stat_statements.max',
    };
  }
  const owner = owned[name] ?? (name.startsWith('recovery_target') ? 'recovery' : undefined);
  if (owner !== undefined) {
    return { message: `${name} is not for templates or --set: ${decidedBy[owner]}`, hint: `leave ${name} out` };
  }
  if (/[\0-\x1f\x7f]/.test(value)) {
    return { message: `the value of ${name} holds a line break or control character`, hint: 'write it in one line' };
  }
  if (name === 'wal_level' && value.toLowerCase() !== 'replica') {
    const why =
      value.toLowerCase() === 'minimal' ? 'makes backups impossible' : 'is not supported: the tool sets replica';
    return { message: `wal_level ${value} ${why}`, hint: 'leave wal_level out' };
  }
  return undefined;
}

/** What to say of a name that is in none of our lists, and in none of a server's. */
export function unknownName(name: string, known: readonly string[] = settingNames): Objection {
  const meant = nearest(name, known);
  return {
    message: `PostgreSQL has no setting "${name}"${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    hint: 'the server’s own list is: SELECT name, short_desc FROM pg_settings',
  };
}

/** True for a setting that is off and must not be, unless the data may be lost. */
export function givesUpDurability(name: string, value: string): boolean {
  return durability.includes(name) && isOff(value);
}

/** PostgreSQL takes any unambiguous beginning of off, false and no (doc "Parameter Names and Values"). */
export function isOff(value: string): boolean {
  const word = value.trim().toLowerCase();
  return word === '0' || (word !== '' && ['false', 'no'].some((off) => off.startsWith(word))) || /^off?$/.test(word);
}

/** Refuses a wish that no server of this major could take, or that the template's promise forbids. @throws BAD_SETTING */
export function checkWish(name: string, value: string, major: number, durable: boolean, isUnknown: boolean): void {
  const objection =
    objectionTo(name, value) ??
    (isUnknown ? unknownName(name) : undefined) ??
    versionObjection(name, major) ??
    lossObjection(name, value, durable);
  if (objection !== undefined) throw new AppError('BAD_SETTING', objection.message, { hint: objection.hint });
}

/** Says which versions have a setting that this one lacks. */
export function versionObjection(name: string, major: number): Objection | undefined {
  const known = settingVersions(name);
  if (known === undefined || (known.since <= major && major <= known.until)) return undefined;
  const range = major < known.since ? `came with PostgreSQL ${known.since}` : `left after PostgreSQL ${known.until}`;
  return { message: `${name} ${range}, and this is ${major}`, hint: `leave ${name} out` };
}

/**
 * Without fsync or full page writes a crash may corrupt everything, so not even --set has them off where data counts.
 * synchronous_commit off can lose only the last moments, which an operator may choose: the plan warns.
 */
function lossObjection(name: string, value: string, durable: boolean): Objection | undefined {
  if (!durable || name === 'synchronous_commit' || !givesUpDurability(name, value)) return undefined;
  return {
    message: `${name} off can lose the whole instance in a crash`,
    hint: 'leave it on; for data that may be lost, use --template testing',
  };
}
