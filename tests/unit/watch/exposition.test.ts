import { describe, expect, it } from '@jest/globals';
import parse from 'parse-prometheus-text-format';
import { renderExposition } from '../../../lib/watch/exposition.ts';

describe('the text that Prometheus scrapes', () => {
  it('is read back as it was meant, whatever stands in a label', () => {
    const labels = { path: 'C:\\a "quoted"\nfolder', datname: 'größe' };
    const text = renderExposition([
      { name: 'pg_a', type: 'gauge', help: 'First\nand \\ last.', points: [{ labels, value: 1.5e9 }] },
      { name: 'pg_b', type: 'untyped', help: 'Bare.', points: [{ labels: {}, value: 0 }] },
    ]);
    expect(text).toMatch(/^# HELP pg_a First\\nand \\\\ last\.\n# TYPE pg_a gauge\npg_a\{/);
    expect(parse(text).map(({ name, metrics }) => [name, metrics])).toEqual([
      ['pg_a', [{ labels, value: '1500000000' }]],
      ['pg_b', [{ value: '0' }]],
    ]);
  });

  it('leaves out what is not known: a 0 would be taken for a value', () => {
    expect(renderExposition([{ name: 'pg_a', type: 'gauge', help: 'None.', points: [] }])).toBe('');
  });
});
