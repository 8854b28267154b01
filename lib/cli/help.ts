import yargs from 'yargs';
import { type Action, isHostAction, type Options } from '../actions/action.ts';
import { actions } from '../actions/index.ts';
import { exitStatus } from '../errors.ts';
import { addressOptions, commonOptions } from './options.ts';
import { wrap } from './table.ts';

const width = Math.min(process.stdout.columns ?? 80, 100);

const groupTitles = {
  instances: 'Instances',
  databases: 'Databases and roles',
  migrations: 'Migrations',
  backups: 'Backups',
  host: 'This host',
} as const;

/** `--help` without an action. */
export async function overview(): Promise<string> {
  const lines = [
    'Many PostgreSQL instances on one machine, with backups that have been restored.',
    '',
    'Usage: ./manage.ts --action ACTION --instance SELECTOR [options]',
    '       ./manage.ts ACTION [SELECTOR] [options]',
  ];
  for (const [group, title] of Object.entries(groupTitles)) {
    lines.push('', `${title}:`);
    for (const [name, entry] of Object.entries(actions)) {
      if (entry.group === group) lines.push(`  ${name.padEnd(20)}${entry.summary}`);
    }
  }
  lines.push(
    '',
    "SELECTOR is a name, a comma list, a quoted glob ('client-*'), or all.",
    'Each action explains itself: ./manage.ts --action create --help',
    'Completion: eval "$(./manage.ts completion bash)"   (zsh, fish too)',
    'A manual page: ./manage.ts manual > pg-manage.1',
    '',
    await optionHelp(commonOptions, 'Options of every action:'),
    '',
    exitStatuses(),
  );
  return lines.join('\n');
}

/** `--action X --help`. */
export async function actionHelp(action: Action): Promise<string> {
  const object =
    action.target === 'none' ? '' : isHostAction(action) ? ' [--instance SELECTOR]' : ' --instance SELECTOR';
  const behind = action.words === undefined ? '' : ` -- ${action.words}`;
  const lines = [
    `Usage: ./manage.ts --action ${action.name}${object} [options]${behind}`,
    '',
    `${capital(action.summary)}.`,
  ];
  if (action.details !== undefined)
    lines.push('', ...action.details.split('\n').flatMap((paragraph) => wrap(paragraph, width)));
  const own = Object.fromEntries(Object.entries(action.options).filter(([, option]) => !option.hidden));
  const address = action.target === 'none' ? {} : { instance: addressOptions.instance };
  lines.push('', await optionHelp({ ...address, ...own }, 'Options:'));
  lines.push('', 'Examples:', ...action.examples.flatMap(([command, what]) => [`  ${command}`, `      ${what}`]));
  lines.push('', 'Options of every action and exit statuses: ./manage.ts --help');
  return lines.filter((line, index) => line !== '' || lines[index - 1] !== '').join('\n');
}

async function optionHelp(options: Options, group: string): Promise<string> {
  const instance = yargs([]).locale('en').exitProcess(false).version(false).help(false).wrap(width);
  for (const [name, { type, describe, alias, choices }] of Object.entries(options)) {
    const words = choices === undefined ? describe : `${describe}: ${choices.join(', ')}`;
    instance.option(name, { type, describe: words, group, ...(alias ? { alias } : {}) });
  }
  const text = await instance.getHelp();
  return text.replaceAll(/\s*\[(string|number|boolean)\]/g, '').trim();
}

function exitStatuses(): string {
  const { usage, notRunning, notFound, partial, stillStarting, notProven, refused, locked, interrupted } = exitStatus;
  return [
    'Exit status:',
    `  0 done   1 failed   ${usage} usage   ${notRunning} not running   ${notFound} not found   ${partial} some failed`,
    `  ${stillStarting} still starting   ${notProven} backup not proven   ${refused} over budget`,
    `  ${locked} locked   ${interrupted} interrupted`,
  ].join('\n');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
