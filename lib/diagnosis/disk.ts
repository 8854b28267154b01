import { dirname } from 'node:path';
import { homesElsewhere } from '../instances/home.ts';
import type { Places } from '../instances/places.ts';
import { exists } from '../host/files.ts';
import { ownershipOf, type Room, roomAt } from '../host/inspect.ts';
import { GB, humanBytes, MB } from '../tuning/sizes.ts';
import { type Finding, host, humanAge, minuteMs, quoted } from './finding.ts';

/** A folder of ours with the room on its file system. */
export interface Place {
  what: string;
  path: string;
  room: Room;
}

/** The folders that must have room, one for each file system. */
export function observeDisks(places: Places): Place[] {
  const { root, repository, host: shared } = places;
  const folders: [what: string, path: string][] = [
    ['the root', root],
    ['the repository', repository],
    ['the host folder', shared],
    ...homesElsewhere(places).map(({ name, data }): [string, string] => [`the data of ${name}`, data]),
  ];
  const found = folders.flatMap(([what, path]) => {
    const room = roomAt(nearestExisting(path));
    return room === undefined ? [] : [{ what, path, room }];
  });
  return found.filter(({ room }, index) => found.findIndex((other) => other.room.device === room.device) === index);
}

/** Where a folder that is not there yet will be made. */
function nearestExisting(path: string): string {
  return exists(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}

/** A share alone cries wolf on large disks, a size alone on small ones. */
export function judgeDisks(places: readonly Place[]): Finding[] {
  return places.flatMap(({ what, path, room }) => {
    const findings: Finding[] = [];
    const { sizeBytes, freeBytes, inodes, freeInodes } = room;
    const share = sizeBytes === 0 ? 1 : freeBytes / sizeBytes;
    const full = freeBytes < 256 * MB || (share < 0.05 && freeBytes < 10 * GB);
    if (full || freeBytes < GB || (share < 0.1 && freeBytes < 50 * GB)) {
      findings.push({
        code: 'DISK_SPACE_LOW',
        severity: full ? 'critical' : 'warning',
        subject: host,
        cause: `${what} (${path}) has ${humanBytes(freeBytes)} free of ${humanBytes(sizeBytes)} (${percent(share)}).`,
        remedy: `df -h ${quoted(path)}`,
      });
    }
    const inodeShare = inodes === 0 ? 1 : freeInodes / inodes;
    if (inodeShare < 0.1) {
      findings.push({
        code: 'INODES_LOW',
        severity: inodeShare < 0.05 ? 'critical' : 'warning',
        subject: host,
        cause: `${what} (${path}) has ${freeInodes} inodes free of ${inodes} (${percent(inodeShare)}).`,
        remedy: `df -i ${quoted(path)}`,
      });
    }
    return findings;
  });
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

/** Moments that lie in the past while the clock is right. */
export interface Moment {
  path: string;
  ms: number;
}

export function observeMoments(paths: readonly string[]): Moment[] {
  return paths.filter(exists).flatMap((path) => {
    const modified = ownershipOf(path)?.modifiedMs;
    return modified === undefined ? [] : [{ path, ms: modified }];
  });
}

/** A clock that was set back makes backups look new, logs lie and recovery targets miss. */
export function judgeClock(moments: readonly Moment[], nowMs: number): Finding[] {
  const ahead = moments.filter(({ ms }) => ms > nowMs + minuteMs).sort((a, b) => b.ms - a.ms);
  const [furthest] = ahead;
  if (furthest === undefined) return [];
  const howMany = ahead.length === 1 ? 'one file is' : `${ahead.length} files are`;
  return [
    {
      code: 'CLOCK_WRONG',
      severity: 'warning',
      subject: host,
      cause: `${howMany} from the future, ${furthest.path} by ${humanAge(furthest.ms - nowMs)}: the clock is wrong or was set back.`,
      remedy: 'timedatectl status',
    },
  ];
}
