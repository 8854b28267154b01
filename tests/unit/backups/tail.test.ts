import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copyTail, pruneTail, received, tailAfter, tailFiles, tailFolder } from '../../../lib/backups/tail.ts';
import { segmentName } from '../../../lib/postgres/wal.ts';

/** Small segments: a header is all that is looked at. */
const segmentBytes = 1024 * 1024;
const system = '7710816615397807921';
const nameOf = (number: number, timeline = 1): string =>
  segmentName({ timeline, number: BigInt(number) }, segmentBytes);

let archive: string;

beforeEach(() => {
  archive = mkdtempSync(join(tmpdir(), 'pgm-tail-'));
});

afterEach(() => rmSync(archive, { recursive: true }));

/** A segment as it begins: the long header of its first page (xlog_internal.h). */
function walOf(number: number, systemIdentifier = system): Buffer {
  const bytes = Buffer.alloc(segmentBytes);
  bytes.writeUInt16LE(2, 2);
  bytes.writeBigUInt64LE(BigInt(number) * BigInt(segmentBytes), 8);
  bytes.writeBigUInt64LE(BigInt(systemIdentifier), 24);
  bytes.writeUInt32LE(segmentBytes, 32);
  return bytes;
}

function receive(file: string, bytes: Buffer | string = ''): void {
  const folder = tailFolder(archive, Number.parseInt(file.slice(0, 8), 16));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), bytes);
}

const names = (found: readonly { name: string }[]): string[] => found.map(({ name }) => name);

describe('the tail of an archive', () => {
  it('is what the archive does not hold, whatever that stores it with; a promoted server’s partial segment is no whole one', () => {
    for (const file of [nameOf(5), nameOf(6), nameOf(7), `${nameOf(8)}.partial`, '00000001.history']) receive(file);
    for (const file of [nameOf(5), `${nameOf(6)}.zst`, `${nameOf(7)}.partial`]) writeFileSync(join(archive, file), '');
    expect(received(archive, segmentBytes).map(({ name, whole }) => [name, whole])).toEqual([
      [nameOf(7), true],
      [nameOf(8), false],
    ]);
    expect(tailFiles(archive, segmentBytes)).toContain(`tail/00000001/${nameOf(8)}.partial`);
    pruneTail(archive, segmentBytes);
    expect(readdirSync(tailFolder(archive, 1))).toEqual(['00000001.history', nameOf(7), `${nameOf(8)}.partial`].sort());
  });

  it('goes on behind the archive without a gap, on one timeline', () => {
    for (const file of [nameOf(6), nameOf(7), nameOf(9), `${nameOf(6, 2)}.partial`]) receive(file);
    expect(names(tailAfter(archive, { timeline: 1, lastNumber: 5n }, segmentBytes))).toEqual([nameOf(6), nameOf(7)]);
    expect(names(tailAfter(archive, { timeline: 1, lastNumber: 4n }, segmentBytes))).toEqual([]);
    expect(names(tailAfter(archive, { timeline: 2 }, segmentBytes))).toEqual([nameOf(6, 2)]);
  });

  it('is given to a recovery as whole segments; what is foreign, misnamed or cut short is left out, and told', () => {
    receive(nameOf(5), walOf(5));
    receive(nameOf(6), walOf(6, '7000000000000000001'));
    receive(nameOf(7), walOf(9));
    receive(nameOf(8), walOf(8).subarray(0, 8192));
    receive(nameOf(9), Buffer.alloc(segmentBytes));
    receive(`${nameOf(10)}.partial`, walOf(10));
    const to = join(archive, 'pg_wal');
    mkdirSync(to);
    writeFileSync(join(to, nameOf(5)), 'cut short where the backup ended');
    const refused = copyTail(received(archive, segmentBytes), to, { systemIdentifier: system, segmentBytes });
    expect(refused).toEqual([nameOf(6), nameOf(7), nameOf(8)]);
    expect(readdirSync(to)).toEqual([nameOf(5), nameOf(10)].sort());
    expect(existsSync(join(tailFolder(archive, 1), nameOf(5)))).toBe(true);
  });

  it('is nothing where nothing was received', () => {
    expect([received(archive, segmentBytes), tailFiles(archive, segmentBytes)]).toEqual([[], []]);
    pruneTail(archive, segmentBytes);
  });
});
