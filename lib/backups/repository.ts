import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { exists, listFolder, readText } from '../host/files.ts';
import { ensureFolder } from '../host/folders.ts';
import { moveForGood, writeFileForGood } from '../host/for-good.ts';
import { type InstanceName, notFound, sameName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { existingName } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import { assertThisMachine, claimName } from './machine-mark.ts';

/** Which instance, by its lasting id, an archive belongs to. */
const ownerFile = '.instance';

/** Where an instance's WAL is archived. */
export function archiveFolderOf({ repository }: Places, name: InstanceName): string {
  return join(repository, name, 'wal');
}

/** Holds the base backups of an instance, a folder each. */
export function baseFolderOf({ repository }: Places, name: InstanceName): string {
  return join(repository, name, 'base');
}

/** Holds the logical dumps of an instance, a folder each. */
export function dumpsFolderOf({ repository }: Places, name: InstanceName): string {
  return join(repository, name, 'dumps');
}

/** The archive with the WAL of a backup: the present one, or the one put aside when another instance took the name. */
export function archiveOfBackup(places: Places, name: InstanceName, instanceId: string): string {
  const present = archiveFolderOf(places, name);
  const owner = archiveOwner(present);
  return owner === undefined || owner === instanceId ? present : putAside(present, instanceId);
}

/** The lasting id of the instance that an archive is of. */
export function archiveOwner(folder: string): string | undefined {
  return readText(join(folder, ownerFile))?.trim();
}

function putAside(folder: string, instanceId: string): string {
  return `${folder}-${instanceId}`;
}

/** The archives that were put aside, by their folders, and whose they are. */
export function archivesAside({ repository }: Places, name: InstanceName): { folder: string; instanceId: string }[] {
  return listFolder(join(repository, name)).flatMap((folder) => {
    const [, instanceId] = /^wal-(.+)$/.exec(folder) ?? [];
    return instanceId === undefined ? [] : { folder, instanceId };
  });
}

/** The names of all instances that the repository holds anything of, whether they exist or not. */
export function repositoryNames({ repository }: Places): InstanceName[] {
  return listFolder(repository).filter(
    (name) => /^[A-Za-z]/.test(name) && exists(join(repository, name, 'wal')),
  ) as InstanceName[];
}

/** The name as the repository or the instances write it. @throws INSTANCE_NOT_FOUND when neither knows it */
export function requireRepositoryName(places: Places, name: InstanceName): InstanceName {
  const known = repositoryNames(places);
  const found = known.find((other) => sameName(other, name)) ?? existingName(places, name);
  if (found === undefined) throw notFound(name, known);
  return found;
}

/**
 * Makes the archive of a new instance. The archive of an earlier one of the same name is moved aside, not mixed with: two
 * database systems in one archive would overwrite each other's history.
 * @throws INSTANCE_EXISTS where that one lives, in another root of this host; REPOSITORY_ELSEWHERE, on another machine
 */
export function prepareArchive(operation: Operation, name: InstanceName, instanceId: string): string {
  const { places, journal } = operation;
  const folder = archiveFolderOf(places, name);
  ensureFolder(baseFolderOf(places, name));
  if (exists(folder)) {
    const owner = archiveOwner(folder);
    if (owner === instanceId) return folder;
    if (owner !== undefined) assertNotElsewhere(operation, name, owner);
    assertThisMachine(places, name);
    const aside = putAside(folder, owner ?? `unowned-${journal.id}`);
    journal.intend({ kind: 'move', from: folder, to: aside });
    moveForGood(folder, aside);
  }
  journal.intend({ kind: 'folder', path: folder });
  ensureFolder(folder);
  writeFileForGood(join(folder, ownerFile), `${instanceId}\n`);
  claimName(operation, name, true); // asked above, where anything of another machine is kept
  return folder;
}

/**
 * Two roots may have one repository, and then their instances may have one name: what is one's is not taken for the other's.
 * @throws INSTANCE_EXISTS naming who has it
 */
export function assertNotElsewhere(
  { places, leases }: Pick<Operation, 'places' | 'leases'>,
  name: InstanceName,
  instanceId: string,
): void {
  const holder = leases
    .all()
    .find((lease) => lease.instanceId === instanceId && lease.root !== places.root && isThere(lease));
  if (holder === undefined) return;
  const { repository } = places;
  throw new AppError(
    'INSTANCE_EXISTS',
    `${join(repository, name)} is of the instance ${holder.instance} of ${holder.root}`,
    {
      hint: `choose another name, or another repository with --backups DIR; that one is meant with --root ${holder.root}`,
    },
  );
}

/** An instance whose folder was lost holds its lease, and nothing else. */
function isThere({ root, instance }: { root: string; instance: string }): boolean {
  return exists(join(root, 'instances', instance));
}
