import { describe, expect, it } from '@jest/globals';
import type { AuditLine } from '../../../lib/audit.ts';
import type { Finding, Severity } from '../../../lib/diagnosis/finding.ts';
import type { ProblemEvent } from '../../../lib/watch/problem-log.ts';
import { renderProblems } from '../../../lib/watch/problems-markdown.ts';
import { changesSince, problemsOf } from '../../../lib/watch/problems.ts';
import { troublesOf } from '../../../lib/watch/troubles.ts';
import { triage } from '../../../lib/watch/triage.ts';
import { parseProblems } from '../../helpers/problems-parser.ts';

function finding(code: string, subject = 'shop', severity: Severity = 'critical', cause = 'it is so.'): Finding {
  return { code, severity, subject, cause, remedy: './manage.ts --action start --instance shop' };
}

const at = (dayOfMonth: number): string => new Date(Date.UTC(2026, 10, dayOfMonth, 12)).toISOString();

/** The log of looks on some days, each of which found these. */
function logOf(looks: [day: number, findings: Finding[]][]): ProblemEvent[] {
  return looks.reduce<ProblemEvent[]>((log, [day, findings]) => [...log, ...changesSince(log, findings, at(day))], []);
}

describe('the log', () => {
  it('holds what came and went, once each, and no info', () => {
    const crash = finding('INSTANCE_CRASHED');
    const log = logOf([
      [1, [crash, finding('NO_BACKUP', 'shop', 'info')]],
      [2, [crash]],
      [3, []],
      [4, []],
    ]);
    expect(log.map((event) => [event.at, event.event, event.code])).toEqual([
      [at(1), 'came', 'INSTANCE_CRASHED'],
      [at(3), 'went', 'INSTANCE_CRASHED'],
    ]);
  });
});

describe('the registry', () => {
  const port = finding('PORT_STRANGER');
  const crash = finding('INSTANCE_CRASHED');
  const mode = finding('PASSWORD_MODE', 'blog', 'warning');
  const log = logOf([
    [1, [crash]],
    [2, [port]],
    [3, [mode]],
    [4, [port, mode]],
    [5, [mode]],
  ]);
  const start = { at: at(2), instance: 'shop', action: 'start', user: 'ann', result: 'ok' } as AuditLine;

  it('tells what is active, what comes and goes, and what was resolved by whom', () => {
    expect(problemsOf(log, [start], at(6))).toMatchObject([
      {
        code: 'INSTANCE_CRASHED',
        status: 'resolved',
        resolvedAt: at(2),
        resolvedBy: 'start by ann',
        frequency: 'rare',
      },
      { code: 'PORT_STRANGER', status: 'intermittent', occurrences: 2, frequency: 'occasional', discoveredAt: at(2) },
      { code: 'PASSWORD_MODE', status: 'active', lastOccurrenceAt: at(6), discoveredAt: at(3), resolvedAt: null },
    ]);
  });

  it('forgets what was resolved more than thirty days ago, and not what is there still', () => {
    expect(problemsOf(log, [], at(40)).map(({ code }) => code)).toEqual(['PASSWORD_MODE']);
  });

  it('is read by a parser of the registry that was kept by hand', () => {
    const blocks = parseProblems(renderProblems(problemsOf(log, [start], at(6))));
    expect(blocks.map(({ kind, title }) => [kind, title])).toEqual([
      ['ACTIVEPROBLEM', 'Password mode (blog)'],
      ['INTERMITTENTPROBLEM', 'Port stranger (shop)'],
      ['RESOLVEDPROBLEM', 'Instance crashed (shop)'],
      ['PROBLEMINTEGRATION', 'Swarm-Manager Integration'],
    ]);
    expect(blocks[0]).toMatchObject({
      fields: { Severity: 'high', Frequency: 'rare', Discovered: '2026-11-03', 'Last Occurrence': '2026-11-06 12:00' },
      estimates: { impact: '6', urgency: 'medium', success_prob: '0.9', resource_cost: 'light' },
    });
  });

  it('makes a pattern of a category in which much goes wrong', () => {
    const many = logOf([[1, [port, finding('CONNECTIONS_HIGH'), finding('DISK_SPACE_LOW', 'host')]]]);
    const pattern = parseProblems(renderProblems(problemsOf(many, [], at(2)))).find(
      ({ kind }) => kind === 'PROBLEMPATTERN',
    );
    expect(pattern?.fields).toMatchObject({ Category: 'integration', 'Affected Systems': 'shop, host' });
  });

  it('lets no cause end its line or its block', () => {
    const cause = 'process 7 (evil\n<!-- EMBED:ACTIVEPROBLEM:END -->\n## Active Issues) listens.';
    const log_ = logOf([[1, [finding('PORT_STRANGER', 'shop', 'critical', cause)]]]);
    const [block] = parseProblems(renderProblems(problemsOf(log_, [], at(1))));
    expect(block?.sections['Description']?.['']).toContain('process 7 (evil &lt;!-- EMBED');
  });
});

it.each([
  [
    'CHECKSUM_FAILURES',
    'critical',
    { category: 'data integrity', impactScore: 10, urgency: 'critical', escalated: true },
  ],
  ['PORT_STRANGER', 'critical', { category: 'resource conflict', impact: 'system_down', escalated: false }],
  [
    'RESTART_PENDING',
    'warning',
    { category: 'configuration', severity: 'high', urgency: 'medium', resourceCost: 'light' },
  ],
] as const)('%s is triaged', (code, severity, expected) => {
  expect(triage(code, severity, false)).toMatchObject(expected);
});

describe('what the audit tells', () => {
  const line = (day: number, action: string, result: string, instance: string | null = 'shop'): AuditLine => {
    const message = result === 'ok' ? {} : { message: `it is ${result}` };
    return { at: at(day), user: 'ann', action, instance, arguments: {}, result, ...message, seconds: 1 };
  };
  const told = (audit: AuditLine[], day: number, there = ['shop']) =>
    problemsOf(troublesOf(audit, new Set(there), at(day)), audit, at(day)).map((one) => {
      const { code, subject, status, occurrences, lastOccurrenceAt, resolvedBy } = one;
      return [code, subject, status, occurrences, lastOccurrenceAt, resolvedBy];
    });

  const briefly = (...of: Parameters<typeof told>) => told(...of).map((row) => row.slice(0, 3).join(' '));

  it('a failure is there until the same succeeds, and every one is counted', () => {
    const audit = [line(1, 'backup', 'BACKUP_FAILED'), line(2, 'backup', 'BACKUP_FAILED')];
    expect(told(audit, 3)).toEqual([['BACKUP_FAILED', 'shop', 'active', 2, at(2), null]]);
    const others = [line(3, 'stop', 'ok'), line(3, 'backup', 'ok', 'blog')];
    expect(briefly([...audit, ...others], 3)).toEqual(['BACKUP_FAILED shop active']);
    expect(told([...audit, line(3, 'backup', 'ok')], 4)).toEqual([
      ['BACKUP_FAILED', 'shop', 'resolved', 2, at(2), 'backup by ann'],
    ]);
  });

  it('what fails, is mended and fails again comes and goes', () => {
    const ways = ['MIGRATION_FAILED', 'ok', 'MIGRATION_FAILED', 'ok'];
    const audit = ways.map((result, index) => line(index + 1, 'migrate', result));
    expect(told(audit, 5)).toEqual([['MIGRATION_FAILED', 'shop', 'intermittent', 2, at(3), 'migrate by ann']]);
  });

  it('a restart mends a start, another reason takes the place of the first, and a refusal is no trouble', () => {
    const start = [
      line(1, 'start', 'PORT_IN_USE'),
      line(2, 'start', 'START_FAILED'),
      line(2, 'create', 'INSTANCE_EXISTS'),
    ];
    expect(briefly(start, 3)).toEqual(['START_FAILED shop active', 'PORT_IN_USE shop resolved']);
    expect(told([...start, line(3, 'restart', 'ok')], 3).map(([, , status]) => status)).toEqual([
      'resolved',
      'resolved',
    ]);
  });

  it('nobody waits for an instance that is not there, nor longer than a week', () => {
    const audit = [line(1, 'create', 'PORT_IN_USE', 'blog'), line(1, 'backup', 'DISK_SPACE')];
    expect(briefly(audit, 2)).toEqual(['DISK_SPACE shop active', 'PORT_IN_USE blog resolved']);
    expect(briefly(audit, 9)).toEqual(['DISK_SPACE shop resolved', 'PORT_IN_USE blog resolved']);
    expect(told([line(1, 'backup', 'DISK_SPACE'), line(2, 'destroy', 'ok')], 3, [])).toEqual([
      ['DISK_SPACE', 'shop', 'resolved', 1, at(1), 'destroy by ann'],
    ]);
  });

  it('what was killed is told once, whether a look has found it before or not', () => {
    const audit = [line(2, 'backup', 'KILLED')];
    expect(told(audit, 3)).toEqual([['UNFINISHED_OPERATION', 'shop', 'resolved', 1, at(2), null]]);
    const found = logOf([
      [1, [finding('UNFINISHED_OPERATION')]],
      [3, []],
    ]);
    const both = problemsOf([...found, ...troublesOf(audit, new Set(['shop']), at(4))], audit, at(4));
    expect(both).toMatchObject([{ status: 'resolved', occurrences: 1 }]);
  });
});
