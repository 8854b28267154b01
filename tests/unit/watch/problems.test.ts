import { describe, expect, it } from '@jest/globals';
import type { AuditLine } from '../../../lib/audit.ts';
import type { Finding, Severity } from '../../../lib/diagnosis/finding.ts';
import type { ProblemEvent } from '../../../lib/watch/problem-log.ts';
import { renderProblems } from '../../../lib/watch/problems-markdown.ts';
import { changesSince, problemsOf } from '../../../lib/watch/problems.ts';
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
