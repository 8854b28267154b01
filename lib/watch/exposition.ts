/** A metric with what is known of it (Prometheus's text format, version 0.0.4). */
export interface Family {
  name: string;
  /** `untyped` for names that others gave to counters before counters had to end in _total. */
  type: 'gauge' | 'counter' | 'untyped';
  help: string;
  points: Point[];
}

export interface Point {
  labels: Record<string, string>;
  value: number;
}

export const contentType = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The text that Prometheus scrapes. Families without points are left out: a metric that is not there is told apart from one
 * that is 0. No point has a time of its own, which node_exporter's textfile collector refuses.
 */
export function renderExposition(families: readonly Family[]): string {
  const lines = families
    .filter(({ points }) => points.length > 0)
    .flatMap(({ name, type, help, points }) => [
      `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
      `# TYPE ${name} ${type}`,
      ...points.map(({ labels, value }) => `${name}${renderLabels(labels)} ${value}`),
    ]);
  return lines.map((line) => `${line}\n`).join('');
}

function renderLabels(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
