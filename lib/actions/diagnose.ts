import { diagnose as lookAtAll } from '../diagnosis/diagnose.ts';
import { type Finding, isSame } from '../diagnosis/finding.ts';
import { applyFix } from '../diagnosis/fix.ts';
import { describeFindings, describeFixed } from '../diagnosis/text.ts';
import { toAppError } from '../errors.ts';
import { unwind } from '../journal.ts';
import { Leases } from '../ports/leases.ts';
import { recover, unfinishedOf } from '../recovery.ts';
import { type Context, hostAction } from './action.ts';

const options = {
  fix: { type: 'boolean', describe: 'do what is safe: starts nothing, deletes no data' },
} as const;

export const diagnose = hostAction({
  name: 'diagnose',
  summary: 'what is wrong, why, and what to type',
  details:
    'Also called doctor. Looks at the machine, and at the server, port, lock, archive and backups of every instance, or of those selected. Changes nothing without --fix. Exit status 0 when there is nothing worse than an info, else 1. With --fix: finishes or undoes what killed operations left, gives back or renews leases, and sets the modes of password files and data directories.',
  examples: [
    ['./manage.ts --action diagnose', 'everything; ./manage.ts doctor is the same'],
    ['./manage.ts --action diagnose --instance client-a --fix', 'mend what is safe to mend'],
    ['./manage.ts --action diagnose --quiet', 'for cron: prints only when something is wrong'],
  ],
  options,
  target: 'some',
  lock: 'none',
  changes: ({ fix }) => fix === true,
  async run(context, { fix }, selected) {
    const { places, task, budgetShare } = context;
    const looking = { places, leases: new Leases(places.host), budgetShare, signal: task.signal };
    const before = await lookAtAll(looking, selected);
    const mending = fix === true && !context.dryRun && before.findings.some((finding) => finding.fix !== undefined);
    if (mending) for (const finding of before.findings) await tryFix(context, finding);
    // What is told as mended is what is seen to be gone.
    const after = mending ? await lookAtAll(looking, selected) : before;
    const mended = before.findings.filter(
      (one) => one.fix !== undefined && !after.findings.some((other) => isSame(one, other)),
    );
    const { findings, installations } = after;
    const fixed = mending ? mended : [];
    const postgres = installations.map(({ major, version, bindir }) => ({ major, version, bindir }));
    return {
      data: { findings: findings.map(document), fixed: fixed.map(document), instances: selected, postgres },
      text: [...describeFixed(fixed), ...describeFindings(findings, selected.length, postgres)],
      exitCode: findings.some(({ severity }) => severity !== 'info') ? 1 : 0,
    };
  },
});

function document({ code, severity, subject, cause, remedy, fix }: Finding): Record<string, unknown> {
  return { code, severity, subject, cause, remedy, fixable: fix !== undefined };
}

/** One that cannot be mended does not hold up the others; it is found again, and told. */
async function tryFix(context: Context, finding: Finding): Promise<void> {
  if (finding.fix === undefined) return;
  try {
    await applyFix(context, finding.fix, async (instance) => await recoverOne(context, instance));
  } catch (error) {
    context.task.signal.throwIfAborted();
    context.task.warn(`${finding.code} of ${finding.subject} is left for now: ${toAppError(error).message}`);
  }
}

async function recoverOne(context: Context, instance: string): Promise<void> {
  if (instance !== '') {
    await context.withInstanceLock(instance, 'exclusive', async () => await recover(context, instance));
    return;
  }
  // An operation on the host has no steps: it is only forgotten.
  const { places } = context;
  const forgettable = unfinishedOf(places, '').filter(({ steps }) => steps.length === 0);
  for (const entry of forgettable) await unwind(places.journal, entry, async () => undefined);
}
