import { type Finding, plural, severities } from './finding.ts';

/** What a terminal and a mail are sure to have. */
const width = 80;

/** The findings as people read them: the worst first, each with what to type. */
export function describeFindings(
  findings: readonly Finding[],
  instances: number,
  installations: readonly { version: string }[],
): { line: string }[] {
  const versions = installations.map(({ version }) => `PostgreSQL ${version.split(' ')[0]}`).join(', ');
  const looked = `looked at: this host (${versions || 'no PostgreSQL'}), ${plural(instances, 'instance')}`;
  const lines = severities.toReversed().flatMap((severity) => {
    const group = findings.filter((finding) => finding.severity === severity);
    return group.length === 0 ? [] : [severity.toUpperCase(), ...group.flatMap(describe), ''];
  });
  const fixable = findings.filter(({ fix }) => fix !== undefined).length;
  const said = fixable === 0 ? '' : `; --fix mends ${fixable} of these`;
  const counts = severities.toReversed().map((severity) => {
    return `${findings.filter((finding) => finding.severity === severity).length} ${severity}`;
  });
  const verdict = findings.length === 0 ? 'nothing is wrong' : `found: ${counts.join(', ')}${said}`;
  return [...lines, verdict, looked].map((line) => ({ line }));
}

export function describeFixed(fixed: readonly Finding[]): { line: string }[] {
  if (fixed.length === 0) return [];
  return ['FIXED', ...fixed.flatMap((finding) => describe(finding).slice(0, -1)), ''].map((line) => ({ line }));
}

function describe({ code, subject, cause, remedy }: Finding): string[] {
  const typed = fold(commandWords(`remedy: ${remedy}`), width - 8);
  return [
    `  ${subject}  ${code}`,
    ...fold(cause.split(' '), width - 4).map((line) => `    ${line}`),
    `    ${typed.join(' \\\n      ')}`,
  ];
}

/** The words of a command line; what is quoted stays together, so that the line can be folded with backslashes and pasted. */
function commandWords(command: string): string[] {
  return command.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
}

function fold(words: readonly string[], room: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + word.length < room) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
