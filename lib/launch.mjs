// Runs manage.ts on a Node that cannot read TypeScript: bundles the sources once into a cache whose key is the
// sources themselves, so an edit or a git pull is never answered by stale code, then imports the bundle.
import { createHash, randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import * as module from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const staleAfterMs = 24 * 60 * 60 * 1000;

/** Every file that decides what the bundle holds; the lock file stands for the dependencies. */
function sources() {
  const library = readdirSync(join(project, 'lib'), { recursive: true }).filter((file) => /\.m?ts$|\.mjs$/.test(file));
  return ['manage.ts', 'package.json', 'package-lock.json', ...library.map((file) => join('lib', file)).sort()];
}

function sourceKey() {
  const hash = createHash('sha256').update(project);
  for (const file of sources()) {
    const { size, mtimeNs, ctimeNs } = statSync(join(project, file), { bigint: true });
    hash.update(`${file} ${size} ${mtimeNs} ${ctimeNs}\n`);
  }
  return hash.digest('hex').slice(0, 24);
}

/** Beside the dependencies where that is ours to write, else in the user's own cache (a read-only or foreign checkout). */
function cacheFolders() {
  const own = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return [join(project, 'node_modules', '.cache', 'pg-manage'), join(own, 'pg-manage')];
}

/** A cache folder may only be believed when nobody but its owner can write it, and its owner is us, root or the checkout's. */
function trusted(folder) {
  const { uid, mode } = statSync(folder);
  return (mode & 0o022) === 0 && [0, process.getuid?.(), statSync(project).uid].includes(uid);
}

function writable(folder) {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    accessSync(folder, constants.W_OK);
    return trusted(folder);
  } catch {
    return false;
  }
}

async function build(folder, key) {
  const staging = join(folder, `.${key}.${randomBytes(6).toString('hex')}`);
  const { build: bundle } = await import('esbuild');
  await bundle({
    absWorkingDir: project,
    entryPoints: { manage: 'manage.ts' },
    outdir: staging,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    minifyWhitespace: true,
    minifySyntax: true,
    keepNames: true,
    logLevel: 'error',
    external: ['pg-native'],
    define: { PG_MANAGE_PROJECT: JSON.stringify(project) },
    // Bundled CommonJS packages call require for Node's own modules.
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  });
  try {
    renameSync(staging, join(folder, key));
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(join(folder, key))) throw error; // else another process built the same sources first
  }
  for (const name of readdirSync(folder)) {
    const old = join(folder, name);
    if (name !== key && Date.now() - statSync(old).mtimeMs > staleAfterMs)
      rmSync(old, { recursive: true, force: true });
  }
}

async function bundlePath() {
  const key = sourceKey();
  const folders = cacheFolders();
  for (const folder of folders) {
    const built = join(folder, key, 'manage.mjs');
    if (existsSync(built) && trusted(folder)) return built;
  }
  const folder = folders.find(writable) ?? join(tmpdir(), `pg-manage-${randomBytes(8).toString('hex')}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!folders.includes(folder)) process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  await build(folder, key);
  return join(folder, key, 'manage.mjs');
}

process.argv.splice(1, 1);
module.enableCompileCache?.();
await import(pathToFileURL(await bundlePath()).href);
