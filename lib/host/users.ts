import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { AppError } from '../errors.ts';

export interface Account {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** True when the person (or cron) who called is root, whatever we have become since. */
export function calledByRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The account with this name, from the system's user database. */
export function findAccount(name: string): Account | undefined {
  const fromFile = readFileSync('/etc/passwd', 'utf8').split('\n');
  const line = fromFile.find((row) => row.startsWith(`${name}:`)) ?? lookUp(name);
  const [user, , uid, gid, , home] = line?.split(':') ?? [];
  return user === undefined ? undefined : { name: user, uid: Number(uid), gid: Number(gid), home: home ?? '/' };
}

/** Accounts that are not in /etc/passwd (LDAP, sssd) are known to getent. */
function lookUp(name: string): string | undefined {
  try {
    return execFileSync('getent', ['passwd', name], { encoding: 'utf8', timeout: 5000 }).trim();
  } catch {
    return undefined;
  }
}

/** True for an account that /etc/group names as a member of some group. */
export function hasFurtherGroups(name: string): boolean {
  const members = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .flatMap((row) => row.split(':')[3]?.split(',') ?? []);
  return members.includes(name);
}

function caller(): Account {
  const { username, uid, gid } = userInfo();
  return { name: username, uid, gid, home: homedir() };
}

/** Who gave the command, for the record: for a sudo, the person behind it. */
export function callerName(): string {
  const behind = process.env['SUDO_USER'];
  return calledByRoot() ? (behind ? `${behind} (as root)` : 'root') : caller().name;
}

let current: Account | undefined;

/** The account that owns the data and runs the servers: the caller, or what `becomeOwner` chose for root. */
export function dataOwner(): Account {
  return (current ??= caller());
}

/**
 * Gives root's powers up for the rest of this process: files are made and read, and servers run, as `account`.
 * Only `asCaller` takes them back, for one synchronous step. Nothing that the account controls is ever touched by root
 * (the hole of CVE-2019-3466 in postgresql-common). Does nothing for a caller who is not root.
 * @throws NO_SERVICE_ACCOUNT when there is no such account or it is root itself
 */
export function becomeOwner(accountName: string): void {
  if (!calledByRoot() || current !== undefined) return;
  const account = findAccount(accountName);
  if (account === undefined || account.uid === 0) {
    throw new AppError(
      'NO_SERVICE_ACCOUNT',
      account === undefined ? `there is no account "${accountName}"` : 'PostgreSQL does not run as root',
      { hint: './manage.ts create makes the account postgres where there is none; or name another with --run-as USER' },
    );
  }
  process.setgroups?.([account.gid]);
  process.setegid?.(account.gid);
  process.seteuid?.(account.uid);
  current = account;
}

/**
 * Does a step as the data's owner, and with the caller's own rights where the owner may not. Taking root's rights back stops
 * every thread of this process for a moment, which on a busy machine is a long one: so not without need.
 */
export function asOwnerOrCaller<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code !== 'EACCES' && code !== 'EPERM') || current === undefined || !calledByRoot()) throw error;
    return asCaller(step);
  }
}

/** Runs one synchronous step with the caller's own rights: reading a file they named, making a folder for the owner. */
export function asCaller<T>(step: () => T): T {
  const owner = current;
  if (owner === undefined || !calledByRoot()) return step();
  process.seteuid?.(0);
  try {
    return step();
  } finally {
    process.seteuid?.(owner.uid);
  }
}
