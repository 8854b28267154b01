import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { isMissing } from './files.ts';
import { asCaller, asOwnerOrCaller } from './users.ts';

/** Reads a file that the caller named (a migration, a template), with the caller's own rights. */
export function readCallersFile(path: string): string {
  return asOwnerOrCaller(() => readFileSync(path, 'utf8'));
}

/** The names in a folder that the caller named, sorted; undefined when there is no such folder. */
export function listCallersFolder(path: string): string[] | undefined {
  return asOwnerOrCaller(() => {
    try {
      return readdirSync(path).sort();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  });
}

/** True when the account that owns the data can go into this folder (so, through every folder above it). */
export function mayEnter(folder: string): boolean {
  try {
    // Not access(2): that asks for the real user, who may be root while the files are the owner's.
    statSync(`${folder}/.`);
    return true;
  } catch {
    return false;
  }
}

/** True when the caller may make files in this folder; false on a read-only file system too. */
export function callerMayWrite(folder: string): boolean {
  return asCaller(() => {
    try {
      accessSync(folder, constants.W_OK | constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
