// npm run readme: writes the tables of README.md that stand between `<!-- NAME: …` and `<!-- /NAME -->` from the
// declarations that the program itself is made of, and compares its drawing with the imports. tests/cli/readme.test.ts fails
// where they have drifted.
import { build } from 'esbuild';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = dirname(dirname(fileURLToPath(import.meta.url)));

/** The declarations alone: what the actions load when they run stays outside. */
async function declarations() {
  const contents = `export { actions } from './lib/actions/index.ts'; export { errorRegistry } from './lib/errors.ts';`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: project, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    plugins: [{ name: 'lazy', setup: (it) => it.onResolve({ filter: /./ }, lazily) }],
  });
  return await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);
}

function lazily({ kind, path }) {
  return kind === 'dynamic-import' ? { path, external: true } : undefined;
}

function table(head, rows) {
  return [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows.map((row) => `| ${row.join(' | ')} |`)];
}

function replace(text, name, lines) {
  const place = new RegExp(`(<!-- ${name}: [^\\n]*-->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!place.test(text)) throw new Error(`README.md has no place for ${name}`);
  return text.replace(place, (_, before, after) => `${before}${lines.join('\n')}\n${after}`);
}

/** Every import of ours: from and to as paths below the project, and whether it is of types alone. */
function imports() {
  const files = readdirSync(join(project, 'lib'), { recursive: true }).filter((name) => name.endsWith('.ts'));
  return files.flatMap((file) => {
    const text = readFileSync(join(project, 'lib', file), 'utf8');
    return [...text.matchAll(/^(import|export) (type )?[^;]*?from '(\.[^']+)'|import\('(\.[^']+)'\)/gm)].map(
      ([, , type, path, lazy]) => ({
        from: join('lib', file),
        to: join('lib', dirname(file), path ?? lazy),
        ofTypes: type !== undefined,
      }),
    );
  });
}

/** Which room really imports from which; what stands directly in lib is told as `lib`. */
function rooms(all) {
  const called = new Map();
  for (const { from, to } of all) {
    const [own, other] = [roomOf(from), roomOf(to)];
    const others = called.get(own) ?? called.set(own, new Set()).get(own);
    if (other !== own) others.add(other);
  }
  const name = (room) => room.replace('lib/', '');
  return [...called]
    .sort(([a], [b]) => byName(a, b))
    .map(([room, others]) => [`\`${room}\``, [...others].map(name).sort(byName).join(', ')]);
}

function byName(a, b) {
  return a < b ? -1 : 1;
}

function roomOf(path) {
  const [, room, file] = path.split('/');
  return file === undefined ? 'lib' : `lib/${room}`;
}

/** Words that every layer speaks: they lead nowhere. */
const common = ['errors', 'nearest', 'yaml-file', 'task', 'journal', 'operation', 'audit', 'rollout'].map(
  (name) => `lib/${name}.ts`,
);

/** How far to the right a file stands in the drawing. */
function layerOf(path) {
  const outer = { 'lib/cli': 0, 'lib/actions': 2, 'lib/postgres': 4, 'lib/host': 5 }[roomOf(path)];
  return outer ?? (roomOf(path) === 'lib' && path !== 'lib/recovery.ts' ? 1 : 3);
}

/** What the README shows of the house that is not so: arrows that go back, rooms that are not there, links to nothing. */
function untrue(readme, all) {
  const back = all.filter(({ from, to, ofTypes }) => !ofTypes && !common.includes(to) && layerOf(to) < layerOf(from));
  const [, drawing = ''] = /```\n(manage\.ts → [\s\S]*?)```/.exec(readme) ?? [];
  const between = [...new Set(all.map(({ from }) => roomOf(from)))].filter((room) => layerOf(`${room}/x`) === 3);
  const missing = between.filter((room) => !new RegExp(`\\b${room.replace('lib/', '')}\\b`).test(drawing));
  const gone = [...readme.matchAll(/(?:`(\w+)` in )?\[[^\]]*\]\(((?:lib|docs)\/[^)]+)\)/g)].filter(
    ([, name, path]) =>
      !existsSync(join(project, path)) ||
      (name !== undefined && !new RegExp(`\\b${name}\\b`).test(readFileSync(join(project, path), 'utf8'))),
  );
  return [
    ...back.map(({ from, to }) => `against the arrows of the drawing: ${from} imports ${to}`),
    ...missing.map((room) => `not in the drawing: ${room}`),
    ...gone.map(([link]) => `not there: ${link}`),
  ];
}

/** The rows of docs/benchmarks.md that compare us with a tool of others, those where we are behind too; medians alone. */
function numbers() {
  const peers = /`(initdb|pg_createcluster|pgbackrest|pg_basebackup|psql|cp %p)/;
  const rows = readFileSync(join(project, 'docs', 'benchmarks.md'), 'utf8')
    .split('\n')
    .filter((line) => peers.test(line))
    .map((line) => line.slice(2, -2).split(' | ').slice(0, 5))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll(/ \([^()]*\d–\d[^()]*\)/g, '')));
  return table(['what', 'ours', 'theirs', 'ratio', 'our aim'], rows);
}

const { actions, errorRegistry } = await declarations();
const codesOf = (exit) =>
  Object.keys(errorRegistry)
    .filter((code) => errorRegistry[code] === exit)
    .sort()
    .map((code) => `\`${code}\``)
    .join(', ');
const exits = [...new Set(Object.values(errorRegistry))].sort((a, b) => a - b);
const file = join(project, 'README.md');
const before = readFileSync(file, 'utf8');
const all = imports();
const after = [
  [
    'actions',
    table(
      ['action', 'what it does'],
      Object.entries(actions).map(([name, { summary }]) => [`\`${name}\``, summary]),
    ),
  ],
  ['rooms', table(['room', 'calls'], rooms(all))],
  ['numbers', numbers()],
  [
    'errors',
    table(
      ['exit', 'codes'],
      exits.map((exit) => [exit, codesOf(exit)]),
    ),
  ],
].reduce((text, [name, lines]) => replace(text, name, lines), before);
const wrong = untrue(after, all);
if (wrong.length > 0) {
  process.stderr.write(`${wrong.join('\n')}\n`);
  process.exitCode = 1;
}
if (after !== before && process.argv.includes('--check')) {
  process.stderr.write('README.md has drifted: npm run readme\n');
  process.exitCode = 1;
} else if (after !== before) writeFileSync(file, after);
