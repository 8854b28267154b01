import { dirname, join } from 'node:path';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { exists, readJson, readText } from '../host/files.ts';
import { removeFile } from '../host/folders.ts';
import { writeJson } from '../host/for-good.ts';
import { thisMachine } from '../host/machine.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import type { Operation } from '../operation.ts';

/*
 * Several machines may have one repository. Their locks and leases are their own, and an instance that was restored on another
 * machine is, by its id, still the same: so the repository says which machine writes what it holds of a name.
 */

const markSchema = z.object({ machine: z.string(), host: z.string(), root: z.string(), since: z.string() });

/** The machine that takes the backups of a name. */
export type MachineMark = z.output<typeof markSchema>;

function fileOf({ repository }: Places, name: InstanceName): string {
  return join(repository, name, 'machine.json');
}

/** Has the repository say that a name is backed up from here; where the machine has no name of its own, nothing is said. */
function markMachine(places: Places, name: InstanceName): void {
  const here = thisMachine();
  if (here === undefined || !exists(dirname(fileOf(places, name)))) return;
  const mark: MachineMark = { machine: here.id, host: here.host, root: places.root, since: nowIso() };
  writeJson(fileOf(places, name), mark);
}

/** Gives a name up: any machine may have it then. */
export function unmarkMachine(places: Places, name: InstanceName): void {
  removeFile(fileOf(places, name));
}

/** The other machine that a name is of; undefined where it is of this one, or of nobody that can be told from it. */
export function otherMachine(places: Places, name: InstanceName): MachineMark | undefined {
  const mark = readJson(fileOf(places, name), markSchema);
  const here = thisMachine();
  return mark === undefined || here === undefined || mark.machine === here.id ? undefined : mark;
}

/** @throws REPOSITORY_ELSEWHERE naming the machine */
export function assertThisMachine(places: Places, name: InstanceName): void {
  const other = otherMachine(places, name);
  if (other === undefined) return;
  const { host, root, since } = other;
  throw new AppError(
    'REPOSITORY_ELSEWHERE',
    `${join(places.repository, name)} is of the machine ${host} (root ${root}, since ${since.slice(0, 19)}Z)`,
    {
      hint: `restore beside with --as NEW, or choose another name or --backups DIR; where ${host} is lost for good, take it over: ./manage.ts restore ${name} --take-over (where its data is here: ./manage.ts backup ${name} --take-over)`,
      data: { ...other },
    },
  );
}

/** Takes a name over, or goes on where it is of this machine or of nobody. @throws REPOSITORY_ELSEWHERE without `takeOver` */
export function claimName(
  { places, journal }: Pick<Operation, 'places' | 'journal'>,
  name: InstanceName,
  takeOver: boolean,
): void {
  if (!takeOver) assertThisMachine(places, name);
  const path = fileOf(places, name);
  const text = readText(path);
  if (text !== undefined && otherMachine(places, name) === undefined) return;
  journal.intend({ kind: 'files', files: [{ path, text: text ?? null }] });
  markMachine(places, name);
}
