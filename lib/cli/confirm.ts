import { createInterface } from 'node:readline/promises';
import { AppError } from '../errors.ts';
import { wrap } from './table.ts';

/** Whether there is a terminal to ask at. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/**
 * Asks a person to type the name of what they are about to take away.
 * @throws CONFIRMATION_REQUIRED when there is no terminal to ask at, or the answer is another
 */
export async function confirm(question: string, name: string): Promise<void> {
  if (!canAsk()) {
    throw new AppError('CONFIRMATION_REQUIRED', `${question}: this needs --yes where there is no terminal`, {
      hint: 'see what would happen with --dry-run',
    });
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // Ctrl-C rejects the question; Ctrl-D closes it without an answer.
    const gone = new Promise<never>((_, reject) => prompt.once('close', () => reject(unanswered())));
    const answer = await Promise.race([
      prompt.question(`${wrap(question, process.stderr.columns).join('\n')}.\nType ${name} to go on: `),
      gone,
    ]);
    if (answer.trim() === name) return;
  } catch {
    process.stderr.write('\n');
    throw unanswered();
  } finally {
    prompt.close();
  }
  throw new AppError('CONFIRMATION_REQUIRED', 'not confirmed; nothing was changed');
}

function unanswered(): AppError {
  return new AppError('INTERRUPTED', 'interrupted; nothing was changed');
}
