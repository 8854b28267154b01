import { type ActionName, actions, aliases, isActionName } from '../actions/index.ts';
import { AppError } from '../errors.ts';
import { nearest } from '../nearest.ts';

/** An action as it was asked for, and whom it means where nobody is named. */
export interface Meant {
  name: ActionName;
  selector?: 'all';
}

/** The old tool's actions on several instances: ours take a selector, theirs meant everybody. */
const several: Readonly<Record<string, ActionName>> = {
  'multi-start': 'start',
  'multi-stop': 'stop',
  'multi-restart': 'restart',
  'multi-status': 'status',
  'multi-health': 'status',
  'multi-migrate': 'migrate',
  'multi-backup': 'backup',
};

const noGui = 'there is no web GUI: point any client at the URL of ./manage.ts --action connect --format url';
const noNetworks = 'instances run on the host, not in Docker networks: a container reaches them with --network host';

/** What the old tool had and this one has not, in a sentence. */
const notHere: Readonly<Record<string, string>> = {
  gui: noGui,
  'gui-stop': noGui,
  'gui-status': noGui,
  'gui-list': noGui,
  'network-update': noNetworks,
  'network-migrate-all': noNetworks,
};

/**
 * The action that a word means, be it ours, another word for it, or the old tool's.
 * @throws USAGE with the nearest word, NOT_HERE with what to do instead
 */
export function meantAction(word: string): Meant {
  if (isActionName(word)) return { name: word };
  const other = own(aliases, word);
  if (other !== undefined) return { name: other };
  const many = own(several, word);
  if (many !== undefined) return { name: many, selector: 'all' };
  const instead = own(notHere, word);
  if (instead !== undefined) throw new AppError('NOT_HERE', instead, { hint: 'see: ./manage.ts --help' });
  const meant = nearest(word, [
    ...Object.keys(actions),
    ...Object.keys(aliases),
    ...Object.keys(several),
    'completion',
    'manual',
  ]);
  throw new AppError('USAGE', `there is no action "${word}"${meant ? `; did you mean ${meant}?` : ''}`, {
    hint: 'all actions are shown by: ./manage.ts --help',
  });
}

/** What a record itself holds under a word, be that `toString`. */
function own<T>(record: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(record, word) ? record[word] : undefined;
}

/**
 * The arguments in today's words: the old tool's help wrote `--force yes` for `--yes`, `--yes yes` did the same, and
 * `--remove-data` was followed by yes or no.
 */
export function inTodaysWords(argv: readonly string[]): string[] {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const own = argv.slice(0, end);
  const words: string[] = [];
  for (const [index, word] of own.entries()) {
    const [before, after] = [own[index - 1] ?? '', own[index + 1]];
    const data = before === '--remove-data' && (word === 'yes' || word === 'no');
    const answer = word === 'yes' && ['--force', '--yes', '-y'].includes(before);
    if (data || answer || (word === '--remove-data' && after === 'no')) continue;
    words.push(word === '--force' && after === 'yes' ? '--yes' : word);
  }
  return [...words, ...argv.slice(end)];
}
