import { AppError } from '../errors.ts';
import { foreignPath, giveFolder, type Ownership, ownershipOf, setFolderMode } from '../host/ownership.ts';
import { processUser } from '../host/processes.ts';
import { calledByRoot, dataOwner } from '../host/users.ts';
import { serversOn } from '../postgres/lock-file.ts';
import type { InstancePaths } from './places.ts';

type Folders = Pick<InstancePaths, 'folder' | 'data'>;

/** What keeps the data's owner, or the server, from an instance's data: the owner or the mode of a folder. */
export function accessProblem({ folder, data }: Folders): string | undefined {
  return folderProblem(folder, 'the folder', 0) ?? folderProblem(data, 'the data directory', openToOthers);
}

/** What the server refuses in its data directory's mode: writable by the group, or anything for others (PG_MODE_MASK_GROUP). */
const openToOthers = 0o027;

function folderProblem(path: string, kind: string, refused: number): string | undefined {
  const found = ownershipOf(path);
  if (found === undefined) return undefined;
  const { uid, owner, mode } = found;
  const { uid: wanted, name } = dataOwner();
  if (uid !== wanted) return `${kind} ${path} belongs to ${owner} (mode ${octal(found)}), not to ${name}`;
  if ((mode & 0o700) !== 0o700) return `${kind} ${path} has mode ${octal(found)}: its owner ${owner} may not use it`;
  if ((mode & refused) !== 0)
    return `${kind} ${path} has mode ${octal(found)}: the server wants it closed to others (0700 or 0750)`;
  return undefined;
}

function octal({ mode }: Ownership): string {
  return mode.toString(8).padStart(4, '0');
}

/** @throws DATA_PERMISSIONS when owner or mode are such that no server could be started */
export function assertAccess(name: string, paths: Folders): void {
  const problem = accessProblem(paths);
  if (problem !== undefined) throw accessError(name, paths, problem);
}

/** Does what looks into an instance's folder; where that is not allowed, says whose it is. @throws DATA_PERMISSIONS */
export function explainingAccess<T>(name: string, paths: Folders, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!isRefused(error, paths)) throw error;
    const problem = accessProblem(paths) ?? `${(error as NodeJS.ErrnoException).path}: permission denied`;
    throw accessError(name, paths, problem, error);
  }
}

function isRefused(error: unknown, { folder }: Folders): boolean {
  const { code, path } = error as NodeJS.ErrnoException;
  return (code === 'EACCES' || code === 'EPERM') && (path === folder || path?.startsWith(`${folder}/`) === true);
}

function accessError(name: string, paths: Folders, problem: string, cause?: unknown): AppError {
  const hint = mayRepair(paths) ? `repair it with: ./manage.ts start ${name} --fix-permissions` : byHand(name, paths);
  return new AppError('DATA_PERMISSIONS', problem, { hint, cause });
}

function mayRepair({ folder, data }: Folders): boolean {
  return (
    calledByRoot() || [folder, data].every((path) => (ownershipOf(path)?.uid ?? dataOwner().uid) === dataOwner().uid)
  );
}

function byHand(name: string, { folder, data }: Folders): string {
  const path = ownershipOf(folder)?.uid === dataOwner().uid ? data : folder;
  return `only root may change its owner: sudo chown -hR ${dataOwner().name}: ${path} && sudo chmod 0700 ${path} && ./manage.ts start ${name}`;
}

/**
 * Gives the data directory, and what else is in the instance's folder, to the account that runs the servers; both folders
 * get mode 0700, the modes of what is in them stay.
 * @throws DATA_PERMISSIONS where only root can do that; DATA_IN_USE when somebody else's server runs on it
 */
export function fixPermissions(name: string, paths: Folders): void {
  const { data } = paths;
  const owner = dataOwner();
  const stranger = serversOn(data).find((pid) => processUser(pid) !== owner.uid);
  if (stranger !== undefined) {
    throw new AppError('DATA_IN_USE', `a server that is not ${owner.name}'s (process ${stranger}) runs on ${data}`, {
      hint: `stop it the way it was started (a container: docker stop), then: ./manage.ts start ${name} --fix-permissions`,
    });
  }
  const folders = [paths.folder, data].filter((path) => ownershipOf(path) !== undefined);
  if (calledByRoot()) {
    for (const folder of folders) giveFolder(folder, owner); // the data may be on a disk of its own
    return;
  }
  // Both before either is looked into: the one lies in the other.
  for (const folder of folders) if (ownershipOf(folder)?.uid === owner.uid) closeFolder(folder);
  for (const folder of folders) {
    const foreign = foreignPath(folder, owner.uid);
    if (foreign === undefined) continue;
    throw new AppError(
      'DATA_PERMISSIONS',
      `${foreign} belongs to ${ownershipOf(foreign)?.owner}, not to ${owner.name}`,
      {
        hint: byHand(name, paths),
      },
    );
  }
}

/** What is not open to others stays as it is: 0750 lets a group read its backups. */
function closeFolder(folder: string): void {
  const mode = ownershipOf(folder)?.mode ?? 0o700;
  if ((mode & 0o700) !== 0o700 || (mode & openToOthers) !== 0) setFolderMode(folder, 0o700);
}
