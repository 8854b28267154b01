import { join } from 'node:path';
import { listFolder } from '../host/files.ts';
import { linkTarget, pointLink } from '../host/links.ts';
import type { Journal } from '../journal.ts';

/** A tablespace outside of the data directory: its link in pg_tblspc, named by its number, and the folder it leads to. */
export interface Tablespace {
  oid: string;
  link: string;
  folder: string;
}

/** The tablespaces of a data directory that are elsewhere; those inside it (allow_in_place_tablespaces) go where it goes. */
export function tablespacesOf(dataDirectory: string): Tablespace[] {
  const links = join(dataDirectory, 'pg_tblspc');
  return listFolder(links).flatMap((oid) => {
    const folder = linkTarget(join(links, oid));
    return folder === undefined ? [] : [{ oid, link: join(links, oid), folder }];
  });
}

/** Makes a link or leads it elsewhere, with the intent before. What it is a link in must not be in use. */
export function leadLink(journal: Journal, path: string, target: string): void {
  journal.intend({ kind: 'link', path, target: linkTarget(path) ?? null });
  pointLink(path, target);
}
