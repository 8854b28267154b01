import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findDamaged, findGaps, readArchive, type WalSpan } from '../../../lib/backups/wal-check.ts';
import { parseLsn } from '../../../lib/postgres/lsn.ts';
import { defaultSegmentBytes, historyName, segmentName } from '../../../lib/postgres/wal.ts';

const system = '7571000000000000001';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-wal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const nameOf = (timeline: number, number: number): string =>
  segmentName({ timeline, number: BigInt(number) }, defaultSegmentBytes);

/** A whole segment: its header, and 16 MB of which the disk holds one block. */
function put(timeline: number, number: number, systemIdentifier = system): string {
  const header = Buffer.alloc(40);
  header.writeUInt16LE(0xd110, 0);
  header.writeUInt16LE(0x0002, 2);
  header.writeUInt32LE(timeline, 4);
  header.writeBigUInt64LE(BigInt(number) * BigInt(defaultSegmentBytes), 8);
  header.writeBigUInt64LE(BigInt(systemIdentifier), 24);
  header.writeUInt32LE(defaultSegmentBytes, 32);
  const file = openSync(join(folder, nameOf(timeline, number)), 'w');
  writeSync(file, header);
  ftruncateSync(file, defaultSegmentBytes);
  closeSync(file);
  return nameOf(timeline, number);
}

function putHistory(timeline: number, ...lines: [number, string][]): void {
  const text = lines.map(([one, lsn]) => `${one}\t${lsn}\tno recovery target specified\n`).join('\n');
  writeFileSync(join(folder, historyName(timeline)), text);
}

function span(startLsn: string, stopLsn: string, timeline = 1): WalSpan {
  return { timeline, startLsn: parseLsn(startLsn), stopLsn: parseLsn(stopLsn), segmentBytes: defaultSegmentBytes };
}

const { signal } = new AbortController();
const damagedOf = async (names: string[]) =>
  await findDamaged({ folder, segmentBytes: defaultSegmentBytes, systemIdentifier: system }, names, signal);
const gaps = (of: WalSpan) => findGaps(of, readArchive(folder, defaultSegmentBytes));

describe('readArchive', () => {
  it('knows whole segments by timeline, in order, and what each timeline branched from', () => {
    for (const [timeline, number] of [
      [2, 5],
      [1, 16],
      [1, 4],
      [1, 5],
    ] as const)
      put(timeline, number);
    putHistory(2, [1, '0/5000100']);
    for (const other of [
      '.instance',
      `${nameOf(1, 6)}.partial`,
      `${nameOf(1, 4)}.00000028.backup`,
      `.${nameOf(1, 7)}.99`,
    ]) {
      writeFileSync(join(folder, other), 'x');
    }
    expect(readArchive(folder, defaultSegmentBytes)).toEqual([
      { timeline: 1, ancestors: [], numbers: [4n, 5n, 16n] },
      { timeline: 2, ancestors: [{ timeline: 1, leftAt: '0/5000100' }], numbers: [5n] },
    ]);
  });

  it('knows a timeline that has only its history, its first segment being still written', () => {
    put(1, 4);
    putHistory(2, [1, '0/5000100']);
    putHistory(26, [1, '0/5000100'], [2, '0/6000100']);
    for (const other of ['00000003.history.tmp', '.00000004.history', '0000000g.history', 'x00000005.history']) {
      writeFileSync(join(folder, other), '1\t0/5000100\tno recovery target specified\n');
    }
    const left = { timeline: 1, leftAt: '0/5000100' };
    expect(readArchive(folder, defaultSegmentBytes)).toEqual([
      { timeline: 1, ancestors: [], numbers: [4n] },
      { timeline: 2, ancestors: [left], numbers: [] },
      { timeline: 26, ancestors: [left, { timeline: 2, leftAt: '0/6000100' }], numbers: [] },
    ]);
  });

  it('is empty without an archive', () => expect(readArchive(join(folder, 'none'), defaultSegmentBytes)).toEqual([]));
});

describe('findGaps', () => {
  it('needs all from the start to the newest, and nothing before', () => {
    for (const number of [1, 2, 3, 4, 5, 6]) put(1, number);
    expect(gaps(span('0/3000028', '0/4000100'))).toEqual({
      needed: [3, 4, 5, 6].map((number) => nameOf(1, number)),
      missing: [],
    });
  });

  it('finds what is missing before the stop point, at it, and after it', () => {
    for (const number of [3, 6, 8]) put(1, number);
    expect(gaps(span('0/3000028', '0/5000100')).missing).toEqual([4, 5, 7].map((number) => nameOf(1, number)));
  });

  it('finds that the archive ends before the stop point, also when it is empty', () => {
    put(1, 3);
    expect(gaps(span('0/3000028', '0/5000100')).missing).toEqual([nameOf(1, 4), nameOf(1, 5)]);
    rmSync(join(folder, nameOf(1, 3)));
    expect(gaps(span('0/3000028', '0/3000100'))).toEqual({ needed: [], missing: [nameOf(1, 3)] });
  });

  it('does not need the segment that begins at the stop point', () => {
    for (const number of [3, 4]) put(1, number);
    expect(gaps(span('0/3000028', '0/5000000')).missing).toEqual([]);
  });

  it('crosses from one upper half of the names to the next', () => {
    for (const number of [254, 255, 257]) put(1, number);
    expect(gaps(span('0/FE000028', '0/FE000100')).missing).toEqual(['000000010000000100000000']);
  });
});

describe('findGaps along timelines that branched off', () => {
  it('needs a child from its branch on', () => {
    for (const number of [3, 4, 5, 6]) put(1, number);
    for (const number of [5, 6]) put(2, number);
    putHistory(2, [1, '0/5000100']);
    expect(gaps(span('0/3000028', '0/4000100'))).toEqual({
      needed: [...[3, 4, 5, 6].map((number) => nameOf(1, number)), nameOf(2, 5), nameOf(2, 6)],
      missing: [],
    });
    rmSync(join(folder, nameOf(2, 5)));
    expect(gaps(span('0/3000028', '0/4000100')).missing).toEqual([nameOf(2, 5)]);
  });

  it('finds a hole between the newest of the parent and the branch', () => {
    for (const number of [3, 4]) put(1, number);
    for (const number of [8, 9]) put(2, number);
    putHistory(2, [1, '0/8000100']);
    expect(gaps(span('0/3000028', '0/4000100')).missing).toEqual([5, 6, 7].map((number) => nameOf(1, number)));
  });

  it('finds a hole in a timeline between two branches', () => {
    for (const number of [3, 4]) put(1, number);
    put(2, 5);
    put(3, 8);
    putHistory(2, [1, '0/5000000']);
    putHistory(3, [1, '0/5000000'], [2, '0/8000100']);
    expect(gaps(span('0/3000028', '0/4000100')).missing).toEqual([nameOf(2, 6), nameOf(2, 7)]);
  });

  it('needs the parent up to the branch, and nothing yet of a child that has only its history', () => {
    for (const number of [3, 4]) put(1, number);
    putHistory(2, [1, '0/5000100']);
    expect(gaps(span('0/3000028', '0/4000100'))).toEqual({ needed: [nameOf(1, 3), nameOf(1, 4)], missing: [] });
    rmSync(join(folder, nameOf(1, 4)));
    expect(gaps(span('0/3000028', '0/3000100')).missing).toEqual([nameOf(1, 4)]);
  });

  it('needs nothing of a timeline that was left before the backup ended', () => {
    for (const number of [5, 6]) put(1, number);
    put(2, 9);
    putHistory(2, [1, '0/4000100']);
    put(3, 12);
    putHistory(3, [1, '0/4000100'], [2, '0/A000000']);
    expect(gaps(span('0/5000028', '0/6000100')).missing).toEqual([]);
  });

  it('needs nothing of the parents of a backup', () => {
    for (const number of [1, 3]) put(1, number);
    for (const number of [5, 6]) put(2, number);
    putHistory(2, [1, '0/5000100']);
    expect(gaps(span('0/6000028', '0/6000100', 2))).toEqual({ needed: [nameOf(2, 6)], missing: [] });
  });
});

describe('findDamaged', () => {
  it('finds nothing wrong with whole segments', async () => {
    const names = [put(1, 3), put(1, 4), put(1, 255), put(1, 256), put(2, 257)];
    expect(await damagedOf(names)).toEqual([]);
  });

  it('names each that is cut, empty, missing, without a header or of another system', async () => {
    const names = [3, 4, 5, 6, 7, 8].map((number) => put(1, number));
    truncateSync(join(folder, nameOf(1, 4)), 8_000_000);
    truncateSync(join(folder, nameOf(1, 5)), 0);
    rmSync(join(folder, nameOf(1, 6)));
    truncateSync(join(folder, nameOf(1, 7)), 0);
    truncateSync(join(folder, nameOf(1, 7)), defaultSegmentBytes);
    put(1, 8, '7571000000000000002');
    expect(await damagedOf(names)).toEqual([
      `${nameOf(1, 4)} has 8000000 bytes instead of 16777216`,
      `${nameOf(1, 5)} has 0 bytes instead of 16777216`,
      `${nameOf(1, 6)} has 0 bytes instead of 16777216`,
      `${nameOf(1, 7)} has no WAL header`,
      `${nameOf(1, 8)} is WAL of another database system`,
    ]);
  });

  it('names each that is called like another segment, also where only the upper half of the position tells', async () => {
    const names = [3, 4, 259].map((number) => put(1, number)); // 259 is 3 with another upper half
    copyFileSync(join(folder, nameOf(1, 3)), join(folder, nameOf(1, 4)));
    copyFileSync(join(folder, nameOf(1, 3)), join(folder, nameOf(1, 259)));
    expect(await damagedOf(names)).toEqual([
      `${nameOf(1, 4)} holds the WAL of another segment`,
      `${nameOf(1, 259)} holds the WAL of another segment`,
    ]);
  });

  describe.each([
    ['zstd', '.zst', ['-q', '--rm']],
    ['lz4', '.lz4', ['-q', '-m', '--rm']],
    ['gzip', '.gz', ['-n']],
  ])('of segments that %s has compressed', (program, suffix, args) => {
    const pack = (name: string): string => {
      execFileSync(program, [...args, join(folder, name)]);
      return join(folder, `${name}${suffix}`);
    };

    it('finds nothing wrong with whole ones, beside plain ones', async () => {
      const names = [put(1, 3), put(1, 4)];
      expect(statSync(pack(names[0] ?? '')).size).toBeLessThan(defaultSegmentBytes / 200);
      expect(await damagedOf(names)).toEqual([]);
      expect(readArchive(folder, defaultSegmentBytes)).toEqual([{ timeline: 1, ancestors: [], numbers: [3n, 4n] }]);
    });

    it('names the file of each that is foreign, of another place or too short', async () => {
      const names = [put(1, 3, '7571000000000000002'), put(1, 4), put(1, 5)];
      copyFileSync(join(folder, put(1, 6)), join(folder, names[1] ?? ''));
      truncateSync(join(folder, names[2] ?? ''), 8192);
      for (const name of names) pack(name);
      expect(await damagedOf(names)).toEqual([
        `${names[0]}${suffix} is WAL of another database system`,
        `${names[1]}${suffix} holds the WAL of another segment`,
        `${names[2]}${suffix} has 8192 bytes instead of 16777216`,
      ]);
    });

    it('names the file when one byte of it has changed, wherever, or its end is missing', async () => {
      const name = put(1, 3);
      const file = pack(name);
      const whole = readFileSync(file);
      // The time and system in the head of a gzip file (RFC 1952) say nothing of the content.
      const begin = suffix === '.gz' ? [0, 1, 2, 10, 11, 12] : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
      const end = [1, 2, 3, 4, 5, 6, 7, 8].map((back) => whole.length - back);
      for (const at of [...begin, Math.floor(whole.length / 2), ...end]) {
        const harmed = Buffer.from(whole);
        harmed[at] = (harmed[at] ?? 0) ^ 0x40;
        writeFileSync(file, harmed);
        expect([at, await damagedOf([name])]).toEqual([at, [expect.stringContaining(`${name}${suffix} is damaged`)]]);
      }
      writeFileSync(file, whole.subarray(0, whole.length - 1));
      expect(await damagedOf([name])).toEqual([`${name}${suffix} is damaged: ${program} cannot unpack it`]);
    });
  });
});
