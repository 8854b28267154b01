import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { callerMayWrite, mayEnter, readCallersFile } from '../host/callers-files.ts';
import { exists, realPath } from '../host/files.ts';
import { projectDirectory } from '../host/project.ts';
import { makeServiceAccount } from '../host/service-account.ts';
import { becomeOwner, calledByRoot, dataOwner, findAccount } from '../host/users.ts';
import { type Places, placesOf } from '../instances/places.ts';
import type { CommonValues } from './parse.ts';

/** A setting, and what decided it: `flag`, the name of an environment variable, or why the default is what it is. */
export interface Setting {
  value: string;
  origin: string;
}

export interface Settings {
  root: Setting;
  backups: Setting;
  runAs: Setting;
  host: Setting;
  /** What all instances may commit, of the host's memory: `80%`. */
  budget: Setting;
  bindir: Setting | undefined;
}

type Environment = Record<string, string | undefined>;

/** What an action does about the account that servers run as, where nobody has named one and the default one is missing. */
export type AccountNeed = 'make' | 'have' | 'look';

/** Flags win over the environment, that over the host's file, that over the default. Becomes the data's owner on the way, when root. */
export function resolveSettings(
  flags: CommonValues,
  environment: Environment,
  callerFolder: string,
  need: AccountNeed = 'have',
): Settings {
  const pick = (flag: string | undefined, name: string): Setting | undefined => {
    if (flag !== undefined) return { value: flag, origin: 'flag' };
    const value = environment[name];
    return value === undefined || value === '' ? undefined : { value, origin: name };
  };
  const absolute = (setting: Setting): Setting => ({ ...setting, value: resolve(callerFolder, setting.value) });
  const chosenAccount = pick(flags['run-as'], 'PG_MANAGE_RUN_AS') ?? defaultAccount(need);
  becomeOwner(chosenAccount.origin === lookingOnly ? 'nobody' : chosenAccount.value);
  const runAs = calledByRoot() ? chosenAccount : { value: dataOwner().name, origin: 'the caller' };
  const givenRoot = pick(flags.root, 'PG_MANAGE_ROOT');
  const root = givenRoot ? absolute(givenRoot) : defaultRoot(environment);
  const givenBackups = pick(flags.backups, 'PG_MANAGE_BACKUPS');
  const backups = givenBackups
    ? absolute(givenBackups)
    : { value: join(root.value, 'backups'), origin: 'below the root' };
  const host = pick(undefined, 'PG_MANAGE_HOST') ?? { value: '/var/tmp/pg-manage', origin: 'default' };
  const bindir = pick(flags.bindir, 'PG_MANAGE_BINDIR');
  const budget = pick(undefined, 'PG_MANAGE_BUDGET') ??
    readHostConfig(environment) ?? { value: '80%', origin: 'default' };
  parseShare(budget);
  return { root, backups, runAs, host: absolute(host), budget, bindir: bindir && absolute(bindir) };
}

export const accountMade = 'default, made now as there was none';
const lookingOnly = 'default, made by install or the first create';

/**
 * The account of the name that packages give it. Where there is none, only root can be about to do something for which one is
 * needed: it is made for the first instance, and until then root looks around as `nobody`, who owns nothing.
 */
function defaultAccount(need: AccountNeed): Setting {
  const value = 'postgres';
  if (need === 'have' || !calledByRoot() || findAccount(value) !== undefined) return { value, origin: 'default' };
  if (need === 'look') return { value, origin: lookingOnly };
  makeServiceAccount(value);
  return { value, origin: accountMade };
}

/** The file in which an operator configures the host; PG_MANAGE_CONFIG names another. */
const hostConfigFile = '/etc/pg-manage.yaml';

/** @throws USAGE for a file that holds anything but what it may */
function readHostConfig(environment: Environment): Setting | undefined {
  const path = environment['PG_MANAGE_CONFIG'] ?? hostConfigFile;
  if (!exists(path)) return undefined;
  const lines = readCallersFile(path)
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  const strange = lines.find((line) => !/^budget:\s/.test(line));
  if (strange !== undefined) {
    throw new AppError('USAGE', `${path}: "${strange}" is not understood`, { hint: 'the file may say: budget: 80%' });
  }
  const value = lines.at(-1)?.replace(/^budget:\s*/, '');
  return value === undefined ? undefined : { value, origin: path };
}

/** @throws USAGE for anything but a share of the memory */
export function parseShare({ value, origin }: Setting): number {
  const percent = Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(value)?.[1]);
  if (percent > 0 && percent <= 100) return percent / 100;
  throw new AppError('USAGE', `budget "${value}" (${origin}) is no share of the memory`, { hint: 'write it as 80%' });
}

/** The checkout, where the account that owns the data can use it; else the system's place for such data. */
function defaultRoot(environment: Environment): Setting {
  const { name } = dataOwner();
  const why = !callerMayWrite(projectDirectory)
    ? 'cannot be written'
    : !mayEnter(projectDirectory)
      ? `cannot be reached by ${name}`
      : undefined;
  if (why === undefined) return { value: projectDirectory, origin: "the project's folder" };
  const state = environment['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state');
  const value = calledByRoot() ? '/var/lib/pg-manage' : join(state, 'pg-manage');
  return { value, origin: `default, as ${projectDirectory} ${why}` };
}

/**
 * The places in force, with links followed as far as the folders exist.
 * @throws ROOT_UNREACHABLE naming the folder where the account that owns the data cannot go on
 */
export function resolvePlaces({ root, backups, host }: Settings): Places {
  for (const folder of [root.value, backups.value]) assertReachable(folder);
  return placesOf(real(root.value), real(backups.value), real(host.value));
}

function real(path: string): string {
  const found = realPath(path);
  return found ?? join(real(dirname(path)), path.slice(dirname(path).length));
}

function assertReachable(folder: string): void {
  const blocked = ancestors(folder).find((path) => exists(path) && !mayEnter(path));
  if (blocked === undefined) return;
  const { name } = dataOwner();
  throw new AppError('ROOT_UNREACHABLE', `${folder} cannot be used: the account ${name} cannot enter ${blocked}`, {
    hint: `open it with: chmod a+x ${blocked} — or choose another place with --root DIR`,
  });
}

/** The folder and all above it, the topmost first. */
function ancestors(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [...ancestors(parent), folder];
}
