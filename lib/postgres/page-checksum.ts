/** The size of a page in every server that we run (it is fixed when PostgreSQL is compiled). */
export const pageBytes = 8192;

const sumCount = 32;
const prime = 16_777_619;
const { imul } = Math;

/** What the sums begin with: PostgreSQL's checksum_impl.h, unchanged since 9.3. */
const beginnings = Int32Array.from([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f,
  0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc,
  0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6,
  0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);

const words = new Int32Array(pageBytes / 4);
const wordBytes = new Uint8Array(words.buffer);
const sums = new Int32Array(sumCount);

/**
 * The checksum that a page holds and the one that its bytes come to; undefined for a page that was never used.
 * @param block where in its relation the page is
 */
export function pageChecksum(page: Uint8Array, block: number): { stored: number; actual: number } | undefined {
  // pd_upper, the end of the free room, is 0 on a new page alone.
  if (page[14] === 0 && page[15] === 0) return undefined;
  wordBytes.set(page);
  const stored = wordBytes[8]! | (wordBytes[9]! << 8);
  wordBytes[8] = wordBytes[9] = 0;
  sums.set(beginnings);
  for (let at = 0; at < words.length; at += sumCount) {
    for (let lane = 0; lane < sumCount; lane++) sums[lane] = mix(sums[lane]!, words[at + lane]!);
  }
  let all = block | 0;
  for (let lane = 0; lane < sumCount; lane++) all ^= mix(mix(sums[lane]!, 0), 0);
  return { stored, actual: ((all >>> 0) % 65_535) + 1 };
}

/** FNV-1a on 32 bits at a time, with a shift so that high bits reach low ones. */
function mix(sum: number, value: number): number {
  const mixed = sum ^ value;
  return imul(mixed, prime) ^ (mixed >>> 17);
}
