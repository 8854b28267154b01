// npm run readme: writes the tables of README.md that stand between `<!-- NAME: …` and `<!-- /NAME -->` from the
// declarations that the program itself is made of. tests/cli/readme.test.ts fails where they have drifted.
import { build } from 'esbuild';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/** Which room really imports from which; what stands directly in lib is told as `lib`. */
function rooms() {
  const called = new Map();
  for (const file of readdirSync(join(project, 'lib'), { recursive: true }).filter((name) => name.endsWith('.ts'))) {
    const own = roomOf(join('lib', file));
    const others = called.get(own) ?? called.set(own, new Set()).get(own);
    const text = readFileSync(join(project, 'lib', file), 'utf8');
    for (const [, path] of text.matchAll(/(?:from |import\()'(\.[^']+)'/g)) {
      const room = roomOf(join('lib', dirname(file), path));
      if (room !== own) others.add(room);
    }
  }
  const name = (room) => room.replace('lib/', '');
  return [...called]
    .sort(([a], [b]) => byName(a, b))
    .map(([room, others]) => [`\`${room}\``, [...others].map(name).sort(byName).join(', ') || 'nothing of ours']);
}

function byName(a, b) {
  return a < b ? -1 : 1;
}

function roomOf(path) {
  const [, room, file] = path.split('/');
  return file === undefined ? 'lib' : `lib/${room}`;
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
const after = [
  [
    'actions',
    table(
      ['action', 'what it does'],
      Object.entries(actions).map(([name, { summary }]) => [`\`${name}\``, summary]),
    ),
  ],
  ['rooms', table(['room', 'calls'], rooms())],
  [
    'errors',
    table(
      ['exit', 'codes'],
      exits.map((exit) => [exit, codesOf(exit)]),
    ),
  ],
].reduce((text, [name, lines]) => replace(text, name, lines), before);
if (after !== before && process.argv.includes('--check')) {
  process.stderr.write('README.md has drifted: npm run readme\n');
  process.exitCode = 1;
} else if (after !== before) writeFileSync(file, after);
