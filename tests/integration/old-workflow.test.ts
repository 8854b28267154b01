import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beginProgram, makeSandbox, manageProgram, type Sandbox } from '../helpers/cli.ts';
import { inNamespaces } from '../helpers/namespaces.ts';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await makeSandbox();
  symlinkSync(manageProgram, join(sandbox.folder, 'manage.ts'));
  cpSync(join(fixtures, 'migrations'), join(sandbox.folder, 'migrations'), { recursive: true });
  cpSync(join(fixtures, 'old-tool', 'seeds'), join(sandbox.folder, 'seeds'), { recursive: true });
});
afterAll(async () => await sandbox.cleanup());

it("the old README's workflows run as they are, but for the name of the program", async () => {
  const script = join(sandbox.folder, 'readme.sh');
  const text = readFileSync(join(fixtures, 'old-tool', 'readme.sh'), 'utf8');
  writeFileSync(script, text.replaceAll('manage.sh', 'manage.ts'), { mode: 0o755 });
  // Its ports are the old tool's own, which other tests may have at the same moment: so they are of a network of its own.
  const { code, stdout, stderr } = await beginProgram(script, [], {
    cwd: sandbox.folder,
    env: { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host },
    inside: inNamespaces(['--net'], 'ip link set lo up'),
  }).finished;
  expect(code === 0 ? '' : `exit status ${code}\n${stdout}\n${stderr}`).toBe('');
  expect(stdout).toContain('client-a is running on port 5434 ');
  expect(stdout).toContain('client-b is running on port 5433 ');
  expect(stdout).toMatch(/"host": "127\.0\.0\.1"[^]*"port": 5434/); // n8n's credentials
  expect(stdout).toMatch(/^client-a +running +5434 /m);
  expect(stdout).toContain('client-b: backup weekly is verified');
  expect(stderr).toContain('--networks does nothing here');
  expect(stderr).not.toContain('s3cret');
});
