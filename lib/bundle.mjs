import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** The program and its dependencies as the text of one function of (module, require), in ASCII. */
export async function bundle(project) {
  const { outputFiles } = await build({
    absWorkingDir: project,
    entryPoints: ['lib/cli/main.ts'],
    outfile: 'manage.cjs',
    write: false,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    charset: 'ascii',
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: 'error',
    external: ['pg-native'],
    supported: { 'dynamic-import': false }, // what is imported late is in here too, and runs when it is asked for
    // That of browsers reads no configuration files, for which the other loads node:module (1.4 ms).
    alias: { 'string-width': './lib/cli/width.mjs', 'yargs-parser': 'yargs-parser/browser' },
    define: {
      PG_MANAGE_PROJECT: JSON.stringify(project),
      'import.meta.url': JSON.stringify(pathToFileURL(join(project, 'manage.cjs')).href),
      // pg makes a Response to see whether this is Cloudflare, for which Node would load its whole HTTP client.
      Response: 'undefined',
      // Where libpg-query would look for its WebAssembly, which lib/postgres/grammar.ts gives it.
      __dirname: '""',
    },
    banner: { js: '(function(module,require){' },
    footer: { js: '})' },
  });
  return outputFiles[0].contents;
}
