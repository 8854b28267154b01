// Runs manage.ts on a Node that cannot read TypeScript: bundles the sources once into a cache whose key is the
// sources themselves, so an edit or a git pull is never answered by stale code, then runs the bundle's `main`.
// The bundle is one file, read before anything else happens: what the program imports late needs no file any more, be it
// that root's powers are gone by then or that the cache is. Beside it lies V8's own code for it, which spares the compiling.
// Every command pays for what stands here: CommonJS, as Node's module loader takes 5 ms, and node:crypto (3 ms) only to build.
'use strict';
const fs = require('node:fs');
const { homedir, tmpdir } = require('node:os');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');

const project = dirname(__dirname);
const staleAfterMs = 24 * 60 * 60 * 1000;
const [bundleFile, codeFile] = ['manage.cjs', 'manage.code'];

/** Every file that decides what the bundle holds; the lock file stands for the dependencies. */
function sources() {
  return ['package.json', 'package-lock.json', ...codeIn('lib').sort()];
}

/** Node's own recursive reading takes 17 ms for these 400 files, which every command would pay; this takes 2. */
function codeIn(folder) {
  return fs.readdirSync(`${project}/${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return codeIn(path);
    return /\.[cm]?[tj]s$/.test(entry.name) ? [path] : [];
  });
}

/** 64 bits of which project and Node, and of each source's name, size and times. Any edit changes its ctime. */
function sourceKey() {
  const files = sources();
  const names = [project, process.version, process.arch, ...files].join('\n');
  const numbers = new Float64Array(3 * files.length + Math.ceil(Buffer.byteLength(names) / 8));
  for (let index = 0; index < files.length; index++) {
    const { size, mtimeMs, ctimeMs } = fs.statSync(`${project}/${files[index]}`);
    numbers[3 * index] = size;
    numbers[3 * index + 1] = mtimeMs;
    numbers[3 * index + 2] = ctimeMs;
  }
  Buffer.from(numbers.buffer).write(names, 24 * files.length);
  // Of the kind of FNV-1a: there is nobody to be kept from making two keys that are alike, and no time to load node:crypto.
  const words = new Int32Array(numbers.buffer);
  let [one, other] = [0x811c9dc5, 0x050c5d1f];
  for (let index = 0; index < words.length; index++) {
    one = Math.imul(one ^ words[index], 0x01000193);
    other = Math.imul(other ^ words[index], 0x01000197);
    one ^= one >>> 15;
    other ^= other >>> 13;
  }
  return [one, other].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Beside the dependencies where that is ours to write, else in the user's own cache (a read-only or foreign checkout). */
function cacheFolders() {
  const own = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return [join(project, 'node_modules', '.cache', 'pg-manage'), join(own, 'pg-manage')];
}

/** A cache folder may only be believed when nobody but its owner can write it, and its owner is us, root or the checkout's. */
function trusted(folder) {
  const { uid, mode } = fs.statSync(folder);
  return (mode & 0o022) === 0 && [0, process.getuid?.(), fs.statSync(project).uid].includes(uid);
}

function writable(folder) {
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
    fs.accessSync(folder, fs.constants.W_OK);
    return trusted(folder);
  } catch {
    return false;
  }
}

/** Node's own modules that few commands need and that take 1 to 3 ms each; all else is in the bundle. */
const late = new Set(['crypto', 'child_process', 'fs/promises', 'timers/promises', 'net', 'dns', 'tls', 'assert']);

/** As `require`, but a module of `late` is loaded when something of it is first used. */
function requireLate(name) {
  if (!late.has(name.replace(/^node:/, ''))) return require(name);
  const describe = (_, key) => {
    const property = Object.getOwnPropertyDescriptor(require(name), key);
    return property && { ...property, configurable: true }; // as a proxy may only say of its target's own
  };
  return new Proxy(
    {},
    {
      get: (_, key) => require(name)[key],
      has: (_, key) => key in require(name),
      ownKeys: () => Reflect.ownKeys(require(name)),
      getOwnPropertyDescriptor: describe,
    },
  );
}

/** The program, ready to run. V8 takes the stored code only if it is whole and of this very V8, and else compiles. */
function load(folder) {
  const filename = join(project, bundleFile); // one name for all time, as V8 keeps it with the code
  const code = join(folder, codeFile); // absent only while `build` makes it
  const cachedData = fs.existsSync(code) ? fs.readFileSync(code) : undefined;
  const text = fs.readFileSync(join(folder, bundleFile), 'latin1'); // esbuild was told to write ASCII
  const script = new Script(text, { filename, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(module, requireLate);
  return { script, program: module.exports };
}

/** Builds beside and publishes by one rename, so that of several first runs each finds a whole bundle or none. */
async function build(folder, key) {
  const { randomBytes } = require('node:crypto');
  const [published, staging] = [join(folder, key), join(folder, `.${key}.${randomBytes(6).toString('hex')}`)];
  try {
    fs.mkdirSync(staging, { mode: 0o755 });
    const { bundle } = await import('./bundle.mjs');
    fs.writeFileSync(join(staging, bundleFile), await bundle(project), { mode: 0o644 });
    const { script, program } = load(staging);
    await program.rehearse();
    fs.writeFileSync(join(staging, codeFile), script.createCachedData(), { mode: 0o644 });
    if (fs.existsSync(published) && !trusted(published)) fs.rmSync(published, { recursive: true, force: true });
    publish(staging, published);
    return program;
  } finally {
    fs.rmSync(staging, { recursive: true, force: true });
  }
}

function publish(staging, published) {
  try {
    fs.renameSync(staging, published);
  } catch (error) {
    if (!fs.existsSync(published)) throw error; // else another process built the same sources first
  }
}

function sweep(folder, key) {
  for (const name of fs.readdirSync(folder)) {
    const old = join(folder, name);
    const { mtimeMs } = fs.statSync(old, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (name !== key && Date.now() - mtimeMs > staleAfterMs) fs.rmSync(old, { recursive: true, force: true });
  }
}

async function findProgram() {
  const key = sourceKey();
  const folders = cacheFolders();
  for (const folder of folders) {
    const built = join(folder, key);
    if (fs.existsSync(join(built, bundleFile)) && trusted(folder) && trusted(built)) return load(built).program;
  }
  const lasting = folders.find(writable);
  const folder = lasting ?? fs.mkdtempSync(join(tmpdir(), 'pg-manage-'));
  try {
    return await build(folder, key);
  } finally {
    if (lasting === undefined) fs.rmSync(folder, { recursive: true, force: true });
    else sweep(lasting, key);
  }
}

async function run() {
  // When nothing is left to be done: the work is the same, less the 3 ms in which Node takes itself apart.
  process.once('beforeExit', () => process.exit()); // eslint-disable-line no-restricted-properties -- with main's status
  process.argv.splice(1, 1);
  const program = await findProgram().catch(explainMissing);
  process.exitCode = (await program?.main(process.argv.slice(2))) ?? 1;
}

/** A checkout where nobody has called npm yet. */
function explainMissing(error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  process.stderr.write(`error the packages that the tool is made of are not there\nhint  cd '${project}' && npm ci\n`);
}

void run();
