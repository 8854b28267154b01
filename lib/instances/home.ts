import { dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import { timestampId } from '../host/clock.ts';
import { exists } from '../host/files.ts';
import { unwritableFolders } from '../host/inspect.ts';
import { linkTarget } from '../host/links.ts';
import type { InstanceName } from './names.ts';
import { type InstancePaths, instancePaths, type Places } from './places.ts';
import { instanceNames } from './record.ts';

/**
 * Where an instance's data is: in the instance's folder, or behind the link that stands there in its place, on another disk
 * or where it was before it was adopted. What takes its place, or waits when it was replaced, is on the same disk, so that
 * both are one rename.
 */
export interface Home {
  data: string;
  elsewhere: boolean;
  quarantine: string;
  scratch: string;
  /** Tablespaces that a restore brings. */
  tablespaces: string;
}

export function homeOf({ quarantine, scratch }: Places, paths: Pick<InstancePaths, 'folder' | 'data'>): Home {
  const target = linkTarget(paths.data);
  if (target === undefined) {
    return { data: paths.data, elsewhere: false, quarantine, scratch, tablespaces: join(paths.folder, 'tablespaces') };
  }
  const beside = join(dirname(target), '.pg-manage');
  return {
    data: target,
    elsewhere: true,
    quarantine: join(beside, 'quarantine'),
    scratch: join(beside, 'scratch'),
    tablespaces: join(beside, 'tablespaces'),
  };
}

/** The instances of a root whose data is not in their folder. */
export function homesElsewhere(places: Places): (Home & { name: InstanceName })[] {
  const homes = instanceNames(places).map((name) => ({ name, ...homeOf(places, instancePaths(places, name)) }));
  return homes.filter(({ elsewhere }) => elsewhere);
}

/** A name for what is to wait there, which no other operation takes. @param journalId the operation's */
export function quarantineFor({ quarantine }: Pick<Home, 'quarantine'>, name: string, journalId: string): string {
  return join(quarantine, `${name}-${timestampId()}-${journalId.slice(0, 4)}`);
}

/** @throws INSTANCE_BROKEN where the disk is away, FILE_ACCESS where the account may not rename what is there */
export async function assertReplaceable({ data, elsewhere }: Home, signal: AbortSignal): Promise<void> {
  if (!elsewhere) return;
  const folder = dirname(data);
  if (!exists(folder)) {
    throw new AppError('INSTANCE_BROKEN', `the data is to be in ${data}, and there is no ${folder}`, {
      hint: 'mount the disk that it is on; where that is lost, make the folder anew, then repeat the command',
    });
  }
  if ((await unwritableFolders([folder], signal)).length === 0) return;
  throw new AppError('FILE_ACCESS', `${folder} does not let the account of the data rename ${data}`, {
    hint: `give it the folder (chown), or restore beside: --as NEW`,
  });
}
