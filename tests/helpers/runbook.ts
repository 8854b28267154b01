import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../../lib/host/project.ts';
import { beginProgram, type Sandbox } from './cli.ts';

export const runbookFolder = join(projectDirectory, 'docs', 'runbooks');

/** The names of all pages. */
export const runbookNames: readonly string[] = readdirSync(runbookFolder)
  .filter((name) => name !== 'README.md')
  .map((name) => name.replace(/\.md$/, ''))
  .sort();

/** A line of a ```sh block, with those that a `\` at its end continues it in. */
export interface Command {
  text: string;
  /** Where it stands in the page, from 1. */
  line: number;
  /** The statuses it may end with: what a comment at its end says (`# exit 3: it is crashed`, `# exit 0 or 1`), else 0. */
  exits: number[];
}

/** A ```sh block. */
export interface Block {
  /** The heading it stands below: `Confirm`, or `If the program may stay`. */
  part: string;
  commands: Command[];
  /** The lines of the ```text block behind it, which its commands print in this order; `…` stands for what varies. */
  printed: { text: string; line: number }[];
}

export interface Page {
  /** All headings below the title, in order. */
  parts: string[];
  blocks: Block[];
}

/** How a case goes through a page. */
export interface Way {
  /** The parts called `If …` that are this case's. All parts of other names are every case's. */
  follow?: readonly string[];
  /** What this case has in place of the page's values: of lines `NAME=value` whose value is no other variable's. */
  given?: Readonly<Record<string, string>>;
  /** Beside PG_MANAGE_ROOT and PG_MANAGE_HOST of the sandbox; an undefined value takes a variable away. */
  env?: Record<string, string | undefined>;
  /** See `RunOptions.inside`. */
  inside?: readonly string[];
}

/** Which parts of which pages this test file has run. */
const partsRun = new Map<string, Set<string>>();

/**
 * Runs the commands of a page as they are written, in one shell in the checkout's folder, until one does not do as the page
 * says.
 * @throws with the place in the page, the command and what it printed
 */
export async function runRunbook(sandbox: Sandbox, name: string, way: Way = {}): Promise<void> {
  const { parts, blocks } = readRunbook(name);
  const followed = parts.filter((part) => !part.startsWith('If ') || way.follow?.includes(part) === true);
  partsRun.set(name, new Set([...(partsRun.get(name) ?? []), ...followed]));
  for (const part of way.follow ?? []) if (!parts.includes(part)) throw new Error(`${name}.md has no part "${part}"`);

  const chosen = fill(
    blocks.filter(({ part }) => followed.includes(part)),
    way.given ?? {},
  );
  const commands = chosen.flatMap((block) => block.commands);
  const file = join(sandbox.folder, `${name}.sh`);
  writeFileSync(file, scriptOf(commands));
  const env = { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host, ...way.env };
  const { inside = [] } = way;
  const { stdout } = await beginProgram('bash', [file], { cwd: projectDirectory, env, inside }).finished;

  const answers = answersIn(stdout);
  for (const [index, { text, line, exits }] of commands.entries()) {
    const { status, output } = answers[index] ?? { status: undefined, output: '' };
    if (status !== undefined && exits.includes(status)) continue;
    throw new Error(`${name}.md:${line}: ended with ${status}, not ${exits.join(' or ')}:\n${text}\n${output}`);
  }
  for (const { commands: own, printed } of chosen) {
    const first = commands.indexOf(own[0] as Command);
    const said = answers.slice(first, first + own.length).map(({ output }) => output);
    const missing = firstMissing(printed, said.join(''));
    if (missing !== undefined)
      throw new Error(`${name}.md:${missing.line}: not said: ${missing.text}\n${said.join('')}`);
  }
}

/** Parts of a page that no case of this test file has run. */
export function partsNotRun(name: string): string[] {
  return readRunbook(name).parts.filter((part) => partsRun.get(name)?.has(part) !== true);
}

export function readRunbook(name: string): Page {
  return readPage(readFileSync(join(runbookFolder, `${name}.md`), 'utf8'));
}

/** Reads a page: its headings, and its ```sh and ```text blocks. Other blocks are for reading only. */
export function readPage(text: string): Page {
  const page: Page = { parts: [], blocks: [] };
  let language: string | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(.*)/.exec(line)?.[1];
    const heading = /^##+ (.*)/.exec(line)?.[1];
    if (fence !== undefined) {
      language = language === undefined ? fence : undefined;
      if (language === 'sh') page.blocks.push({ part: page.parts.at(-1) ?? '', commands: [], printed: [] });
    } else if (language === 'sh') {
      addLine(page.blocks.at(-1)?.commands ?? [], line, index + 1);
    } else if (language === 'text') {
      page.blocks.at(-1)?.printed.push({ text: line, line: index + 1 });
    } else if (language === undefined && heading !== undefined) {
      page.parts.push(heading);
    }
  }
  return page;
}

function addLine(commands: Command[], text: string, line: number): void {
  const before = commands.at(-1);
  const whole = before?.text.endsWith('\\') ? `${before.text}\n${text}` : text;
  if (/^\s*(#|$)/.test(whole)) return;
  const command = { text: whole, line: whole === text ? line : (before?.line ?? line), exits: exitsSaid(whole) };
  if (whole === text) commands.push(command);
  else commands.splice(-1, 1, command);
}

function exitsSaid(text: string): number[] {
  const said = /\s# exit (\d+(?:(?:, | or )\d+)*)/.exec(text)?.[1] ?? '0';
  return said.split(/, | or /).map(Number);
}

/** Puts the values of a case in the places of the page's. @throws when the page has no such place */
function fill(blocks: readonly Block[], given: Readonly<Record<string, string>>): Block[] {
  const places = new Set<string>();
  const filled = blocks.map((block) => ({
    ...block,
    commands: block.commands.map((command) => {
      const [, before = '', variable = ''] = /^((?:export )?(\w+)=)(?!\S*\$)/.exec(command.text) ?? [];
      const value = given[variable];
      if (value === undefined) return command;
      places.add(variable);
      return { ...command, text: `${before}'${value.replaceAll("'", String.raw`'\''`)}'` };
    }),
  }));
  const lost = Object.keys(given).filter((variable) => !places.has(variable));
  if (lost.length > 0) throw new Error(`the page has no line ${lost.join('=, ')}=`);
  return filled;
}

/**
 * Behind what a command prints there is a line of a record separator and its status. The script ends at the first that is
 * not as expected: what follows may rely on it.
 */
function scriptOf(commands: readonly Command[]): string {
  const steps = commands.map(({ text, exits }) => {
    const report = `status=$?; printf '\\n\\036%s\\n' "$status"; case $status in ${exits.join('|')}) ;; *) exit 1 ;; esac`;
    return `${text}\n${report}\n`;
  });
  // A mount namespace that is entered (`inside`) begins in its root folder.
  return `exec 2>&1\ncd '${projectDirectory}'\n${steps.join('')}`;
}

function answersIn(stdout: string): { status: number; output: string }[] {
  const pieces = stdout.split(/\n\u001E(\d+)\n/);
  return pieces.flatMap((output, index) =>
    index % 2 === 0 && index + 1 < pieces.length ? [{ output, status: Number(pieces[index + 1]) }] : [],
  );
}

function firstMissing(printed: Block['printed'], output: string): Block['printed'][number] | undefined {
  let rest = output;
  return printed.find(({ text }) => {
    const pattern = text.split('…').map((part) => part.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
    const found = new RegExp(pattern.join('.*').replaceAll(/ +/g, ' +')).exec(rest);
    rest = found === null ? '' : rest.slice(found.index + found[0].length);
    return found === null;
  });
}
