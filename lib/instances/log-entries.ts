/** From the least to the worst, of what a log is searched for; LOG, NOTICE and DEBUG are below all of them. */
export const severities = ['WARNING', 'ERROR', 'FATAL', 'PANIC'] as const;
export type Severity = (typeof severities)[number];

/** A line that begins something: our log_line_prefix (`%m [%p] %q%u@%d `), then what it is (elog.c's error_severity and the fields of send_message_to_server_log). */
const heading = /^\S+ \S+ \S+ \[(\d+)\] (?:.*? )??([A-Z]+\d?): {2}/;

const belonging = new Set(['DETAIL', 'HINT', 'QUERY', 'CONTEXT', 'LOCATION', 'BACKTRACE', 'STATEMENT']);

/**
 * Says of one line after the other whether it belongs to an entry that is at least so severe: the DETAIL, HINT and STATEMENT
 * of an entry go with it, and so do the further lines of each. Processes that write at the same moment are told apart.
 */
export function severityFilter(least: Severity): (line: string) => boolean {
  const wanted = new Map<string, boolean>();
  let last = false;
  return (line) => {
    const [, pid, word] = heading.exec(line) ?? [];
    if (pid === undefined || word === undefined) return last;
    if (belonging.has(word)) return (last = wanted.get(pid) ?? false);
    last = severities.indexOf(word as Severity) >= severities.indexOf(least);
    wanted.set(pid, last);
    return last;
  };
}
