import { describe, expect, it } from '@jest/globals';
import { monitorLine, monitorPage } from '../../../lib/actions/monitor-text.ts';
import { renderText } from '../../../lib/cli/table.ts';
import type { Figures } from '../../../lib/watch/figures.ts';

const host = { at: '2026-11-22T04:03:11.000Z', committedBytes: 2 ** 30, budgetBytes: 2 ** 34, disk: null };
const same = (text: string): string => text;
const plain = { bold: same, dim: same, red: same, green: same, yellow: same };

function figures(name: string, more: Partial<Figures> = {}): Figures {
  return {
    name,
    state: 'running',
    message: null,
    port: 5433,
    connections: { used: 97, max: 100 },
    transactionsPerSecond: 12_345.6,
    cacheHitRatio: 0.999,
    waiting: 12,
    transactionSeconds: 3700,
    deadlocks: 1,
    archiveLagSeconds: 130,
    committedBytes: 900 * 2 ** 20,
    sizeBytes: 1.5 * 2 ** 40,
    verifiedAgeSeconds: 90_000,
    ...more,
  };
}

function page(all: Figures[], columns: number, rows = 24): string[] {
  return monitorPage(host, all, { columns, rows }).flatMap((text) => renderText(text, plain));
}

describe('the screen of a monitor', () => {
  const fleet = [
    figures('client-a'),
    figures('a-name-that-is-as-long-as-any-name-may-be-on-this-whole-machine'),
    figures('client-c', { state: 'starting', message: 'process 7 is stopped' }),
  ];

  it.each([80, 100, 120, 200])('fits %i columns', (columns) => {
    const lines = page(fleet, columns);
    expect(lines.filter((line) => line.length > columns)).toEqual([]);
    expect(lines.join('\n')).toContain(columns < 120 ? 'a-name-that' : 'longest tx');
  });

  it('shows the unwell first, and says why', () => {
    const lines = page(fleet, 80);
    expect(lines[0]).toMatch(/^3 instances, 2 running .* 2026-11-22 04:03:11 UTC, Ctrl-C ends$/);
    expect(lines[4]).toMatch(/^client-c +starting +97\/100 +12346 +99% +12 +2 min +900M +1\.5T +25 h$/);
    expect(lines.at(-1)).toBe('client-c: process 7 is stopped');
  });

  it.each([6, 8, 24])('fits %i rows, and says how many do not', (rows) => {
    const many = Array.from({ length: 50 }, (_, number) => figures(`client-${number}`));
    const lines = page(many, 80, rows);
    expect(lines).toHaveLength(rows);
    expect(lines.at(-1)).toMatch(new RegExp(`^and ${50 - (lines.length - 5)} more`));
  });

  it('is a line of words for pipes', () => {
    expect(monitorLine(host.at, figures('client-a', { verifiedAgeSeconds: null, transactionsPerSecond: null }))).toBe(
      '2026-11-22T04:03:11Z client-a running port=5433 conn=97/100 tps=- hits=99% wait=12 deadlocks=1 longest-tx=61min lag=2min memory=900M disk=1.5T verified=never',
    );
  });
});
