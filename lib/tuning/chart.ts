/** What a bar stands for, in bytes. */
export interface Bar {
  committedBytes: number;
  stressBytes: number;
}

/**
 * A bar as wide as the host's memory: `█` what is committed, `░` what a busy moment may take beyond that, `·` the rest. What
 * would go past the end is cut there, and shown by `▶`.
 */
export function renderBar({ committedBytes, stressBytes }: Bar, limitBytes: number, width: number): string {
  const cells = (sizeBytes: number): number => Math.min(width, Math.round((sizeBytes / limitBytes) * width));
  // Whatever takes anything at all is to be seen.
  const committed = Math.max(committedBytes > 0 ? 1 : 0, cells(committedBytes));
  const stress = Math.max(0, cells(stressBytes) - committed);
  const bar = '█'.repeat(committed) + '░'.repeat(stress);
  if (Math.max(committedBytes, stressBytes) > limitBytes) return `${bar.slice(0, width - 1)}▶`;
  return bar + '·'.repeat(width - bar.length);
}
