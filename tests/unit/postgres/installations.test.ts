import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { poll } from '../../../lib/host/wait.ts';
import { AppError } from '../../../lib/errors.ts';
import { chooseInstallation } from '../../../lib/postgres/installations.ts';
import { makeTestFolder } from '../../helpers/places.ts';

it('an interrupt while a server is asked for its version is told as that, not as a PostgreSQL that is not there', async () => {
  const folder = makeTestFolder('pgm-test-');
  chmodSync(folder, 0o777);
  const asked = join(folder, 'asked');
  for (const name of ['postgres', 'initdb'])
    writeFileSync(join(folder, name), `#!/bin/sh\n> '${asked}'\nexec sleep 60\n`, { mode: 0o755 });
  const stopper = new AbortController();
  const chosen = chooseInstallation(
    { bindir: folder },
    { folder: join(folder, 'own'), mayCopy: false },
    stopper.signal,
  );
  const ended = expect(chosen).rejects.toMatchObject({ code: 'INTERRUPTED' });
  await poll(() => (existsSync(asked) ? true : undefined), { signal: new AbortController().signal, timeoutMs: 30_000 });
  stopper.abort(new AppError('INTERRUPTED', 'interrupted'));
  await ended;
  rmSync(folder, { recursive: true });
});
