import type { Options } from '../actions/action.ts';
import { actions } from '../actions/index.ts';
import { AppError } from '../errors.ts';
import { addressOptions, commonOptions } from './options.ts';

/** The words of one action: what a shell offers behind it. */
interface Words {
  name: string;
  summary: string;
  options: Options;
}

const shells = { bash, zsh, fish } as const;

/**
 * The text that teaches a shell our words. Actions and options stand in it as they are now; names of instances are asked for
 * when they are needed (`list --names`).
 * @throws USAGE for a shell we do not know
 */
export async function completion(shell: string | undefined): Promise<string> {
  if (shell === undefined || !Object.hasOwn(shells, shell)) {
    throw new AppError('USAGE', shell === undefined ? 'completion for which shell?' : `no completion for "${shell}"`, {
      hint: 'one of: bash, zsh, fish — for example: eval "$(./manage.ts completion bash)"',
    });
  }
  const words = await Promise.all(
    Object.entries(actions).map(async ([name, { summary, load }]) => {
      const { options } = await load();
      return { name, summary, options: shown({ ...options, ...commonOptions }) };
    }),
  );
  return shells[shell as keyof typeof shells](words);
}

function shown(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, { hidden }]) => !hidden));
}

const programs = ['manage.ts', './manage.ts', 'pg-manage'];

function bash(words: readonly Words[]): string {
  const flags = words.map(({ name, options }) => `    ${name}) echo '${dashed(options)}' ;;`);
  return `# pg-manage: completion for bash. Load it with: eval "$(./manage.ts completion bash)"
_pg_manage_options() {
  case $1 in
${flags.join('\n')}
  esac
}
_pg_manage() {
  local program=\${COMP_WORDS[0]} word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} action= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      --action|-a) action=\${COMP_WORDS[i+1]} ;;
      -*) ;;
      *) [[ -n $action ]] || action=\${COMP_WORDS[i]} ;;
    esac
  done
  local offered
  case $before in
    --action|-a) offered='${words.map(({ name }) => name).join(' ')}' ;;
    --instance|-i) offered="all $("$program" list --names 2>/dev/null)" ;;
${choiceCases(words)
  .map(([option, choices]) => `    --${option}) offered='${choices}' ;;`)
  .join('\n')}
    *)
      if [[ $word == -* ]]; then offered="--action --instance --help $(_pg_manage_options "$action")"
      elif [[ -z $action ]]; then offered='${words.map(({ name }) => name).join(' ')}'
      elif [[ $before == "$action" ]]; then offered="all $("$program" list --names 2>/dev/null)"
      fi ;;
  esac
  # What has no words of ours is likely a file.
  if [[ -n $offered ]]; then COMPREPLY=($(compgen -W "$offered" -- "$word")); else COMPREPLY=($(compgen -f -- "$word")); fi
}
complete -o filenames -F _pg_manage ${programs.join(' ')}`;
}

/** zsh reads bash's functions through its own bashcompinit. */
function zsh(words: readonly Words[]): string {
  return `# pg-manage: completion for zsh. Load it with: eval "$(./manage.ts completion zsh)"
autoload -Uz compinit bashcompinit && { (( $+functions[compdef] )) || compinit; } && bashcompinit
${bash(words).split('\n').slice(1).join('\n')}`;
}

function fish(words: readonly Words[]): string {
  const names = words.map(({ name }) => name).join(' ');
  const lines = ['# pg-manage: completion for fish. Load it with: ./manage.ts completion fish | source'];
  for (const program of ['manage.ts', 'pg-manage']) {
    const it = `complete -c ${program}`;
    const first = `not __fish_seen_subcommand_from ${names}`;
    lines.push(`${it} -f`);
    for (const { name, summary } of words) lines.push(`${it} -n '${first}' -a ${name} -d ${quoted(summary)}`);
    const named = `__fish_seen_subcommand_from ${names}`;
    lines.push(`${it} -n '${named}' -a '(eval (commandline -opc)[1] list --names 2>/dev/null)' -d instance`);
    lines.push(`${it} -l action -s a -x -a '${names}' -d ${quoted(addressOptions.action.describe)}`);
    lines.push(
      `${it} -l instance -s i -x -a 'all (eval (commandline -opc)[1] list --names 2>/dev/null)' -d ${quoted(addressOptions.instance.describe)}`,
    );
    for (const { name, options } of words) {
      for (const [option, { describe, alias, choices, type }] of Object.entries(options)) {
        const value = type === 'boolean' ? '' : choices === undefined ? ' -r -F' : ` -x -a '${choices.join(' ')}'`;
        const short = alias === undefined ? '' : ` -s ${alias}`;
        lines.push(
          `${it} -n '__fish_seen_subcommand_from ${name}' -l ${option}${short}${value} -d ${quoted(describe)}`,
        );
      }
    }
  }
  return lines.join('\n');
}

function dashed(options: Options): string {
  return Object.keys(options)
    .map((name) => `--${name}`)
    .join(' ');
}

/** Options whose values are known, each once: `format` means the same kind of thing wherever it stands. */
function choiceCases(words: readonly Words[]): [option: string, choices: string][] {
  const found = new Map<string, Set<string>>();
  for (const [option, { choices }] of words.flatMap(({ options }) => Object.entries(options))) {
    if (choices === undefined) continue;
    const known = found.get(option) ?? new Set();
    for (const choice of choices) known.add(choice);
    found.set(option, known);
  }
  return [...found].map(([option, choices]) => [option, [...choices].join(' ')]);
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
