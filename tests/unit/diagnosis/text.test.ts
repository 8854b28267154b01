import { describe, expect, it } from '@jest/globals';
import { type Finding, humanAge, look, quoted, sortFindings } from '../../../lib/diagnosis/finding.ts';
import { describeFindings } from '../../../lib/diagnosis/text.ts';

const finding = (code: string, severity: Finding['severity'], subject = 'host'): Finding => ({
  code,
  severity,
  subject,
  cause: 'a cause that goes on for longer than any terminal is wide, which is why it has to be folded somewhere.',
  remedy: `psql -h /a/rather/long/folder/name/run -p 5433 -d postgres -c 'select pg_terminate_backend(12345)'`,
});

describe('the answer', () => {
  it('has the worst first, within 80 columns, with a remedy that can be pasted', () => {
    const findings = sortFindings([finding('A', 'info'), finding('B', 'critical', 'shop'), finding('C', 'warning')]);
    expect(findings.map(({ code }) => code)).toEqual(['B', 'C', 'A']);
    const lines = describeFindings(findings, 1, [{ version: '15.18 (Debian)' }]).flatMap(({ line }) =>
      line.split('\n'),
    );
    expect(lines.filter((line) => /^[A-Z]/.test(line))).toEqual(['CRITICAL', 'WARNING', 'INFO']);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    const text = lines.join('\n');
    expect(text).toContain(" \\\n      'select pg_terminate_backend(12345)'");
    expect(text).toContain('found: 1 critical, 1 warning, 1 info');
    expect(text).toContain('looked at: this host (PostgreSQL 15.18), 1 instance');
  });

  it('is short when nothing is wrong', () => {
    expect(describeFindings([], 2, []).map(({ line }) => line)).toEqual([
      'nothing is wrong',
      'looked at: this host (no PostgreSQL), 2 instances',
    ]);
  });

  it('goes by age as people say it', () => {
    expect([5000, 61_000, 7_200_000, 300_000_000].map(humanAge)).toEqual(['5 s', '1 min', '2 h', '3 days']);
  });

  it('quotes for the shell', () => expect([quoted('/a/b'), quoted("it's")]).toEqual(['/a/b', String.raw`'it'\''s'`]));
});

describe('a look that fails', () => {
  const { signal } = new AbortController();
  const denied = (): never => {
    throw Object.assign(new Error('EACCES: permission denied'), { path: '/secret' });
  };

  it('is a finding', async () => {
    expect(await look('shop', 'its files', signal, denied)).toMatchObject([
      { code: 'CHECK_FAILED', severity: 'warning', subject: 'shop', remedy: 'ls -ld /secret' },
    ]);
  });

  it('is none when the work was interrupted', async () => {
    await expect(look('shop', 'its files', AbortSignal.abort(new Error('interrupted')), denied)).rejects.toThrow(
      'interrupted',
    );
  });
});
