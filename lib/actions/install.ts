import { AppError } from '../errors.ts';
import { ensureFolder, giveFolder } from '../host/folders.ts';
import { callersEnvironment, run } from '../host/programs.ts';
import { instanceNames } from '../instances/record.ts';
import { autostartInstalled } from '../schedule/autostart.ts';
import { installedJobs } from '../schedule/install.ts';
import { type Check, judgeSetup } from '../setup/checks.ts';
import { observeSetup, type SetupFacts } from '../setup/facts.ts';
import { noteMade } from '../setup/made.ts';
import { installArguments, installCommand, type Need, packagesFor } from '../setup/packages.ts';
import { filesBeforePackages, filesToWrite, lastingFiles, type SystemFile, writeFile } from '../setup/system-files.ts';
import { type Context, hostAction, type Outcome, type Text } from './action.ts';

/** What lib/cli hands over. */
interface Machine {
  /** Whether the account that servers run as has just been made. */
  accountMade: boolean;
  files: SystemFile[];
}

export const install = hostAction({
  name: 'install',
  summary: 'make this machine ready, and say what it lacks',
  details:
    'Looks at what instances need of this machine, makes the folders and (as root) the account that owns them, and puts completion and manual page where shells look. Names the command that installs what is missing; root has it run with --yes, where apt-get is the manager: packages then make no cluster and start no pooler of their own. What is there already is left alone.',
  examples: [
    ['./manage.ts --action install', 'what is there, and what to type for what is not'],
    ['./manage.ts install --yes', 'as root: install what is missing, too'],
    ['./manage.ts install --dry-run', 'only look'],
  ],
  options: {},
  target: 'none',
  lock: 'none',
  changes: true,
  async run(context, options) {
    const { accountMade, files: shellFiles } = (options as unknown as { machine: Machine }).machine;
    const { places, task, budgetShare } = context;
    const look = async (): Promise<SetupFacts> => await observeSetup(places, budgetShare, task.signal);
    const before = await look();
    const needs = needsOf(judgeSetup(before));
    const folders = before.folders.filter(({ there }) => !there);
    const files = filesToWrite([...lastingFiles(places), ...shellFiles]);
    const wanted = { folders: folders.map(({ path }) => path), files: files.map(({ path }) => path) };
    if (context.dryRun) return await told(context, before, { ...wanted, packages: [] }, true);

    if (accountMade) noteMade(places, { account: before.account.name });
    for (const { path, mode } of folders) ensureFolder(path, mode);
    const given = before.machine.unwritable.filter(giveFolder);
    noteMade(places, { files: wanted.files });
    for (const file of files) writeOrWarn(context, file);
    const got = await installPackages(context, before, needs);
    const made = {
      ...wanted,
      folders: [...wanted.folders, ...given],
      files: [...wanted.files, ...got.files],
      packages: got.packages,
    };
    const account = accountMade ? { account: before.account.name } : {};
    return await told(context, await look(), { ...made, ...account }, false);
  },
});

/** Without them all works the same: a system that is read-only there is no reason to fail. */
function writeOrWarn({ task }: Context, file: SystemFile): void {
  try {
    writeFile(file);
  } catch (error) {
    task.warn(`${file.path} was not written: ${(error as Error).message}`);
  }
}

function needsOf(checks: readonly Check[]): Need[] {
  return [...new Set(checks.flatMap(({ state, need }) => (state === 'missing' && need !== undefined ? [need] : [])))];
}

interface Done {
  account?: string;
  folders: string[];
  files: string[];
  packages: string[];
}

/** Has apt-get install what is missing, when root says yes; all others are only told what to type. */
async function installPackages(
  context: Context,
  { root, manager }: SetupFacts,
  needs: readonly Need[],
): Promise<Pick<Done, 'files' | 'packages'>> {
  const { places, task } = context;
  if (needs.length === 0 || !root || manager !== 'apt-get' || !(await agreed(context, needs))) {
    return { files: [], packages: [] };
  }
  const packages = packagesFor(manager, needs);
  const files = filesBeforePackages(needs);
  noteMade(places, { packages, files: files.map(({ path }) => path) });
  for (const file of files) writeFile(file);
  await aptGet(context, ['update'], 'read what packages there are');
  await aptGet(context, installArguments(manager, packages), `install ${packages.join(', ')}`);
  task.signal.throwIfAborted();
  return { files: files.map(({ path }) => path), packages };
}

async function agreed({ dialogue }: Context, needs: readonly Need[]): Promise<boolean> {
  try {
    await dialogue.confirm(`This runs: ${installCommand('apt-get', needs)}`, 'install');
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'CONFIRMATION_REQUIRED') return false;
    throw error;
  }
}

/** RUNLEVEL: where no systemd runs, which a mask would tell, packages start nothing that is not for single-user mode. */
async function aptGet({ task }: Context, args: readonly string[], title: string): Promise<void> {
  const proxies = callersEnvironment([
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
  ]);
  const env = { ...proxies, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1', HOME: '/root', USER: 'root' };
  await task.step(title, async (step) => {
    const onOutput = (chunk: Buffer): void =>
      step.progress(chunk.toString().trim().split('\n').at(-1)?.slice(0, 60) ?? '');
    const limits = { signal: task.signal, timeoutMs: 30 * 60_000 };
    await run('apt-get', ['-q', ...args], { ...limits, asCaller: true, env, onOutput });
  });
}

async function told(context: Context, facts: SetupFacts, made: Done, dryRun: boolean): Promise<Outcome> {
  const checks = judgeSetup(facts);
  const needs = needsOf(checks);
  const command = needs.length === 0 || facts.manager === undefined ? null : installCommand(facts.manager, needs);
  const changed = made.account !== undefined || [made.folders, made.files, made.packages].some((all) => all.length > 0);
  const next = await nextSteps(context);
  const data = { checks, command, made, changed, next };
  const table: Text = {
    head: ['', 'what', 'how it is'],
    rows: checks.map(({ state, name, found }) => [state === 'ok' ? '✔' : state, name, found]),
  };
  const lacking = checks.filter(({ required, state }) => required && state !== 'ok');
  if (lacking.length > 0 && !dryRun) {
    context.dialogue.show([table]);
    const why = lacking.map(({ name, found }) => `${name}: ${found}`).join('; ');
    const lacksPackages = lacking.some(({ need }) => need !== undefined);
    throw new AppError('NOT_READY', `no instance can be made on this machine: ${why}`, {
      hint:
        lacksPackages && command !== null ? `as root: ${command}` : 'as root, give that folder to the account: chown',
      data,
    });
  }
  const fields = (dryRun ? wouldFields : madeFields)(made, command, facts.root);
  return {
    data,
    text: [
      table,
      { line: '' },
      ...(changed ? [] : [{ line: 'nothing was changed: all of it was there' }].slice(dryRun ? 1 : 0)),
      ...(fields.length === 0 ? [] : [{ fields }]),
      ...next.map((line, index) => ({ line: `${index === 0 ? 'next: ' : '      '}${line}` })),
    ],
  };
}

function madeFields({ account, folders, files, packages }: Done, command: string | null, root: boolean): Fields {
  return fieldsOf({
    account,
    folders: folders.join('\n'),
    files: files.join('\n'),
    installed: packages.join(' '),
    'to type': toType(command, root),
  });
}

function wouldFields({ folders, files }: Done, command: string | null, root: boolean): Fields {
  return fieldsOf({
    'would make': folders.join('\n'),
    'would write': files.join('\n'),
    'to type': toType(command, root),
  });
}

function toType(command: string | null, root: boolean): string | undefined {
  if (command === null) return undefined;
  const here = root && command.startsWith('apt-get');
  return here ? `./manage.ts --action install --yes\nwhich runs: ${command}` : `as root: ${command}`;
}

type Fields = [string, string][];

function fieldsOf(values: Record<string, string | undefined>): Fields {
  return Object.entries(values).flatMap(([name, value]) => (value ? [[name, value]] : []));
}

/** What a new machine wants to have done. */
async function nextSteps({ places, task }: Context): Promise<string[]> {
  const none = instanceNames(places).length === 0;
  const [started, jobs] = [await autostartInstalled(places, task.signal), await installedJobs(places, task.signal)].map(
    ({ crontab, units }) => crontab.length + units.length > 0,
  );
  return [
    ...(none ? ['./manage.ts --action create --instance NAME'] : []),
    ...(started ? [] : ['./manage.ts --action autostart']),
    ...(jobs ? [] : [`./manage.ts --action schedule --backup '0 2 * * *' --prove weekly`]),
  ];
}
