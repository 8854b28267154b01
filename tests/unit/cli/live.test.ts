import { describe, expect, it } from '@jest/globals';
import { clip, frame } from '../../../lib/cli/live.ts';

describe('a frame', () => {
  it('draws over what is there, wipes what is left of each line and all below, and clears nothing before', () => {
    expect(frame(['ab', 'c'], { columns: 4, rows: 3 })).toBe('\u001b[Hab\u001b[K\r\nc\u001b[K\r\n\u001b[J');
  });

  it('never goes beyond the screen, and wipes nothing at its edge', () => {
    expect(frame(['abcdef', 'g', 'h'], { columns: 4, rows: 2 })).toBe('\u001b[Habcd\r\ng\u001b[K');
  });
});

describe('clip', () => {
  it('counts what is seen, and keeps the end of a colour', () => {
    expect(clip('\u001b[32mrunning\u001b[39m', 7)).toBe('\u001b[32mrunning\u001b[39m');
    expect(clip('\u001b[32mrunning\u001b[39m now', 3)).toBe('\u001b[32mrun\u001b[39m');
  });
});
