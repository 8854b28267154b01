import type { ObservedPooler } from '../pooler/observe.ts';
import { type Finding, manage, plural } from './finding.ts';

/** Where the pooler of a running instance is gone, those who come through it find nobody. */
export function judgePooler(name: string, pooler: ObservedPooler | null): Finding[] {
  if (pooler === null) return [];
  const { port, state, load } = pooler;
  const tell = (code: string, severity: Finding['severity'], cause: string, remedy: string): Finding[] => [
    { code, severity, subject: name, cause, remedy },
  ];
  if (state === 'crashed') {
    const cause = `the pooler on port ${port} does not run: clients that connect through it are refused.`;
    return tell('POOLER_DOWN', 'critical', cause, manage('start', name));
  }
  if (state === 'running' && load === null) {
    const cause = `the pooler on port ${port} runs and does not answer.`;
    return tell('POOLER_SILENT', 'critical', cause, manage('restart', name));
  }
  const waiting = load?.clients.waiting ?? 0;
  if (waiting === 0) return [];
  const cause = `${plural(waiting, 'client')} of the pooler on port ${port} wait for a connection to the server at this moment.`;
  return tell('POOLER_WAITING', 'info', cause, manage('status', name));
}
