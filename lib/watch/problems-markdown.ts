import { humanAge } from '../diagnosis/finding.ts';
import type { Problem } from './problems.ts';
import type { Category } from './triage.ts';

/**
 * Pure: the registry as the file that scanners of the old tool's problems read: blocks between `EMBED` markers, with the same
 * fields, words and estimates.
 */
export function renderProblems(problems: readonly Problem[]): string {
  const of = (status: Problem['status']): Problem[] => problems.filter((problem) => problem.status === status);
  const section = (title: string, blocks: string[]): string =>
    [`## ${title}`, ...(blocks.length === 0 ? ['None.'] : blocks)].join('\n\n');
  return `${[
    '# Problems',
    'What `./manage.ts --action diagnose` has found on this host and what actions have failed with, now and over the last thirty days. Written by `./manage.ts --action problems`; what is changed by hand is lost with the next run.',
    section('Active Issues', of('active').map(activeBlock)),
    section('Intermittent Issues', of('intermittent').map(intermittentBlock)),
    section('Recently Resolved', of('resolved').map(resolvedBlock)),
    section('Problem Patterns', patternBlocks(problems)),
    section('Integration Points', [integrationBlock]),
  ].join('\n\n')}\n`;
}

/** What programs are called, and what servers say, stands in the causes: none of it may end a line or a block. */
function embed(kind: string, lines: readonly string[]): string {
  const plain = lines.map((line) =>
    line
      .replaceAll(/\s*\n\s*/g, ' ')
      .replaceAll('<!--', '&lt;!--')
      .replaceAll('-->', '--&gt;'),
  );
  return [`<!-- EMBED:${kind}:START -->`, ...plain, `<!-- EMBED:${kind}:END -->`].join('\n');
}

/** A heading with its named points. */
function points(heading: string, fields: Record<string, string>): string[] {
  return ['', `#### ${heading}`, ...Object.entries(fields).map(([name, text]) => `- **${name}:** ${text}`)];
}

const unknown = 'not recorded';

function activeBlock(problem: Problem): string {
  const { triage, cause, remedy, code } = problem;
  return embed('ACTIVEPROBLEM', [
    `### ${problem.title}`,
    '**Status:** [active]',
    `**Severity:** [${triage.severity}]`,
    `**Frequency:** [${problem.frequency}]`,
    `**Impact:** [${triage.impact}]`,
    `**Discovered:** ${day(problem.discoveredAt)}`,
    '**Discovered By:** [pg-manage]',
    `**Last Occurrence:** ${minute(problem.lastOccurrenceAt)}`,
    '',
    '#### Description',
    cause,
    '',
    '#### Reproduction Steps',
    `1. ${reproduction(problem)}`,
    ...points('Impact Assessment', {
      'Users Affected': affected(problem),
      'Business Impact': businessImpact(problem),
      'Technical Impact': triage.category,
      'Urgency Factors': triage.escalated ? 'the data itself is in doubt: a person must decide' : triage.urgency,
    }),
    ...points('Investigation Status', {
      'Root Cause': code,
      Workarounds: `\`${remedy}\``,
      'Related Issues': unknown,
      'Attempted Solutions': `none while it was there this time; it came ${times(problem)}`,
    }),
    '',
    '#### Priority Estimates',
    '```yaml',
    `impact: ${triage.impactScore}`,
    `urgency: "${triage.urgency}"`,
    `success_prob: ${triage.successProbability}`,
    `resource_cost: "${triage.resourceCost}"`,
    '```',
  ]);
}

function intermittentBlock(problem: Problem): string {
  return embed('INTERMITTENTPROBLEM', [
    `### ${problem.title}`,
    `**Pattern:** [${problem.triage.category === 'resource conflict' ? 'load-based' : 'environmental'}]`,
    `**Last Seen:** ${day(problem.lastOccurrenceAt)}`,
    `**Frequency:** ${problem.occurrences} times in thirty days`,
    `**Tracking Since:** ${day(problem.discoveredAt)}`,
    ...points('Problem Pattern', {
      Triggers: problem.cause,
      Conditions: `${problem.triage.category} of ${problem.subject}`,
      Duration: 'until it was mended',
      Recovery: repair(problem),
    }),
    ...points('Detection Criteria', {
      Symptoms: problem.code,
      Monitoring: problem.action === null ? '`./manage.ts --action diagnose`' : '`./manage.ts --action audit`',
      Logs: `\`./manage.ts --action logs --instance ${problem.subject}\``,
      Metrics: `\`pg_manage_findings{code="${problem.code}"}\``,
    }),
    '',
    '#### Impact When Active',
    `- ${businessImpact(problem)}`,
    `- affects ${affected(problem)}`,
    '',
    '#### Investigation Notes',
    `- it came ${times(problem)}, and was last mended by: ${repair(problem)}`,
    `- what to type: \`${problem.remedy}\``,
  ]);
}

function resolvedBlock(problem: Problem): string {
  const { discoveredAt, resolvedAt, resolvedBy, triage } = problem;
  const durationMs = Date.parse(resolvedAt ?? discoveredAt) - Date.parse(discoveredAt);
  return embed('RESOLVEDPROBLEM', [
    `### ${problem.title}`,
    `**Resolved:** ${day(resolvedAt ?? discoveredAt)}`,
    `**Duration:** ${humanAge(durationMs)} active`,
    '**Resolution:** [configuration]',
    `**Resolved By:** [${resolvedBy ?? 'pg-manage'}]`,
    '',
    '#### Problem Summary',
    problem.cause,
    ...points('Root Cause', {
      'Technical Cause': `${problem.code}, ${triage.category}`,
      'Process Cause': unknown,
      'Knowledge Cause': unknown,
    }),
    ...points('Solution Implemented', {
      'Changes Made': repair(problem),
      Validation:
        problem.action === null
          ? '`./manage.ts --action diagnose` does not find it any more'
          : `${problem.action} does not fail with it any more`,
      'Rollback Plan': 'none needed: what replaces data keeps the old in quarantine',
      Documentation: '`./manage.ts --action audit`',
    }),
    ...points('Lessons Learned', {
      Prevention: unknown,
      Detection: `\`pg_manage_findings{code="${problem.code}"}\` in Prometheus`,
      Response: `\`${problem.remedy}\``,
      'Knowledge Gaps': unknown,
    }),
    ...points('Success Metrics', {
      'Resolution Time': `${humanAge(durationMs)} from detection to fix`,
      Effectiveness: 'it has not come again',
      Improvements: unknown,
    }),
  ]);
}

/** A category in which several things have gone wrong, or one again and again. */
const patternFrom = 3;

const categories: readonly [Category, word: string][] = [
  ['resource conflict', 'integration'],
  ['data integrity', 'reliability'],
  ['configuration', 'configuration'],
];

function patternBlocks(problems: readonly Problem[]): string[] {
  return categories.flatMap(([category, word]) => {
    const alike = problems.filter(({ triage }) => triage.category === category);
    const occurrences = alike.reduce((sum, problem) => sum + problem.occurrences, 0);
    if (occurrences < patternFrom) return [];
    const mended = alike.filter(({ status }) => status !== 'active').length;
    const subjects = [...new Set(alike.map(({ subject }) => subject))];
    const title = category.charAt(0).toUpperCase() + category.slice(1);
    return [
      embed('PROBLEMPATTERN', [
        `### ${title} Pattern`,
        `**Category:** [${word}]`,
        `**Frequency:** ${occurrences} times in thirty days`,
        `**Affected Systems:** ${subjects.join(', ')}`,
        ...points('Pattern Description', {
          'Common Symptoms': [...new Set(alike.map(({ code }) => code))].join(', '),
          'Typical Triggers': alike[0]?.cause ?? unknown,
          Evolution: unknown,
          'Cascade Effects': [...new Set(alike.map(businessImpact))].join('; '),
        }),
        ...points('Detection Strategy', {
          'Early Warnings': 'warnings of `./manage.ts --action diagnose`',
          'Monitoring Approach': '`./manage.ts --action metrics`',
          'Alert Configuration': 'templates/alerts.yaml',
          'Automated Checks': '`./manage.ts --action problems` from a schedule',
        }),
        ...points('Resolution Strategy', {
          'Standard Approach': `\`${alike[0]?.remedy ?? ''}\``,
          'Time to Resolution': unknown,
          'Resource Requirements': alike[0]?.triage.resourceCost ?? unknown,
          'Success Rate': `${Math.round((mended / alike.length) * 100)}% of them are mended`,
        }),
        ...points('Prevention Measures', {
          'Design Changes': unknown,
          'Process Improvements': unknown,
          'Monitoring Enhancements': unknown,
          'Training Needs': unknown,
        }),
      ]),
    ];
  });
}

const integrationBlock = embed('PROBLEMINTEGRATION', [
  '### Swarm-Manager Integration',
  'This file may be scanned for:',
  ...points('Task Generation', {
    'Active Issues': 'each is a task; its command stands under Workarounds',
    'Pattern Recognition': `a pattern is told from ${patternFrom} occurrences in thirty days on`,
  }),
  ...points('Priority Calculation', {
    'Impact score': 'from severity and frequency; 10 where the data is in doubt',
    'Urgency level': 'critical where nobody can connect, or the data is in doubt',
  }),
  ...points('Learning Integration', { 'Resolution Patterns': 'what was done while it was there, by the audit' }),
  ...points('Automation Opportunities', {
    'Auto-Detection':
      'every run compares what diagnose finds with what was known, and reads what failed from the audit',
    'Auto-Triage': 'resource conflict, data integrity or configuration, by the code of the finding',
    'Auto-Resolution': '`./manage.ts --action problems --fix` does what is safe: it starts nothing and deletes no data',
    'Auto-Escalation':
      'what puts the data in doubt is critical, ends the run with exit status 7, and only a person decides',
  }),
]);

function reproduction({ action, remedy }: Problem): string {
  return action === null ? '`./manage.ts --action diagnose` finds it' : `\`${remedy}\` failed with it`;
}

function affected({ subject }: Problem): string {
  return subject === 'host' ? 'all instances of this host' : `clients of ${subject}`;
}

function businessImpact({ triage }: Problem): string {
  return triage.impact === 'system_down'
    ? 'the database is not available'
    : 'the database works, with less room or safety';
}

function repair({ resolvedBy }: Problem): string {
  return resolvedBy ?? 'by itself, or past pg-manage';
}

function times({ occurrences }: Problem): string {
  return `${occurrences === 1 ? 'once' : `${occurrences} times`} in thirty days`;
}

function day(iso: string): string {
  return iso.slice(0, 10);
}

function minute(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}
