import { AppError } from '../errors.ts';
import { parseName } from '../instances/names.ts';
import { instanceAction } from './action.ts';
import { checkGiven, restoreOptions, restoreSelected } from './restore.ts';

const { 'to-time': toTime, as, port, 'port-range': portRange, overcommit } = restoreOptions;

export const clone = instanceAction({
  name: 'clone',
  summary: 'a new instance with the data of another',
  details:
    'Made from the newest backup and the archive, so the other one serves on undisturbed. The new one has its own port, archive and backups from the first moment; roles and passwords are the same.',
  examples: [
    ['./manage.ts --action clone --instance client-a --as client-a-test', 'as it is now'],
    ['./manage.ts clone client-a --as before --to-time 2026-11-20T10:42:00Z', 'as it was then'],
  ],
  options: {
    as: { ...as, describe: 'the name of the new instance' },
    'to-time': toTime,
    port,
    'port-range': portRange,
    overcommit,
  },
  target: 'either',
  lock: 'exclusive',
  changes: true,
  check(given) {
    if (given.as === undefined) {
      throw new AppError('USAGE', 'clone needs --as NAME', {
        hint: './manage.ts --action clone --instance client-a --as client-a-test',
      });
    }
    checkGiven({ ...nothingElse, ...given });
  },
  subject: (name, given) => (given.as === undefined ? name : parseName(given.as)),
  run: async (context, name, given) => await restoreSelected(context, name, { ...nothingElse, ...given }),
});

/** The options of restore that a clone does not have. */
const nothingElse = {
  'backup-name': undefined,
  to: undefined,
  'to-lsn': undefined,
  'to-name': undefined,
  'to-xid': undefined,
  timeline: undefined,
  'take-over': undefined,
};
