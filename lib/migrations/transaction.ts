import { runScript } from '../postgres/script.ts';
import type { Client } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import type { TextFailure } from './failure.ts';
import { markTransactionSql, stillOursSql } from './lock.ts';
import { dataWithin, type Outgoing } from './outgoing.ts';
import { offsetOf } from './place.ts';

/** A stretch of a file's text, and how many statements it holds. */
export interface Stretch {
  start: number;
  end: number;
  count: number;
}

/** What runs around a stretch in its transaction: settings before it, its record after it. */
export interface Around {
  before: readonly string[];
  after: readonly string[];
}

/**
 * Runs a stretch of a file and its record in one transaction and one round trip, and says what went wrong if something did;
 * then nothing of it remains. The server gives positions within all that it was sent: they are counted back.
 */
export async function runInTransaction(
  task: Task,
  client: Client,
  file: { file: string; out: Outgoing },
  stretch: Stretch,
  around: Around,
): Promise<TextFailure | undefined> {
  const before = [...around.before, 'BEGIN', markTransactionSql];
  const after = [stillOursSql({ marked: true }), ...around.after, 'COMMIT'];
  const head = `${before.join(';\n')};\n`;
  const text = file.out.text.slice(stretch.start, stretch.end);
  const { completed, error } = await runScript(client, `${head}${text}\n;${after.join(';\n')}`, {
    data: dataWithin(file.out, stretch.start, stretch.end),
    notice: warnOf(task, file.file),
  });
  if (error === undefined) return undefined;
  // Where the connection is gone the server has done this itself.
  await client.query('ROLLBACK').catch(() => undefined);
  return failureOf({ error, completed: completed - before.length }, { head, text, stretch, after: after.length });
}

/** Runs one statement by itself, outside of any transaction. */
export async function runAlone(
  task: Task,
  client: Client,
  file: { file: string; out: Outgoing },
  stretch: Stretch,
): Promise<TextFailure | undefined> {
  const text = file.out.text.slice(stretch.start, stretch.end);
  const { completed, error } = await runScript(client, text, {
    data: dataWithin(file.out, stretch.start, stretch.end),
    notice: warnOf(task, file.file),
  });
  return error === undefined ? undefined : failureOf({ error, completed }, { head: '', text, stretch, after: 0 });
}

/** What deserves to be seen of what the server says beside errors: warnings, and what it thinks of BEGIN and COMMIT. */
function warnOf(task: Task, file: string) {
  return ({ code, message }: { code?: string | undefined; message?: string | undefined }): void => {
    if (code?.startsWith('01') || code?.startsWith('25')) task.warn(`${file}: ${message}`);
  };
}

function failureOf(
  { error, completed }: { error: unknown; completed: number },
  { head, text, stretch, after }: { head: string; text: string; stretch: Stretch; after: number },
): TextFailure {
  const { position } = error as { position?: string | undefined };
  if (position !== undefined) {
    const at = offsetOf(text, Math.max(1, Number(position) - Array.from(head).length));
    // What is left open in the text is noticed in what follows it: then its end is shown.
    return { error, at: stretch.start + Math.min(at, text.trimEnd().length) };
  }
  if (completed < stretch.count) return { error, completed: Math.max(0, completed) };
  return { error, atEnd: completed - stretch.count === after - 1 ? 'COMMIT' : 'the history row' };
}
