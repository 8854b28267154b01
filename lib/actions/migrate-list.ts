import { readDown, readMigrationFolder } from '../migrations/files.ts';
import { readScript } from '../migrations/job.ts';
import { instanceAction } from './action.ts';
import { migrationFolder, migrationOptions } from './migration-target.ts';

export const migrateList = instanceAction({
  name: 'migrate-list',
  summary: 'the files of a migrations folder, as they are understood',
  details: 'Asks no server: which of them are applied says migrate-status.',
  examples: [['./manage.ts migrate-list client-a -m ./migrations', 'each file, how it runs, and what undoes it']],
  options: { 'migrations-dir': migrationOptions['migrations-dir'] },
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, _name, given) {
    const folder = readMigrationFolder(migrationFolder(context, given));
    const migrations = [...folder.forward, ...folder.repeatable].map((file) => ({
      version: file.version,
      name: file.name,
      file: file.file,
      repeatable: folder.repeatable.includes(file),
      transaction: !readScript(file).stepwise,
      down: folder.repeatable.includes(file) ? null : (readDown(folder, file.version)?.file ?? null),
      checksum: file.checksum,
    }));
    const rows = migrations.map((one) => [
      one.repeatable ? 'R' : one.version,
      one.name,
      one.repeatable ? 'when it changes' : 'once',
      one.transaction ? 'in one transaction' : 'statement by statement',
      one.down ?? '-',
    ]);
    return { data: { migrations }, text: [{ head: ['version', 'name', 'runs', 'how', 'undone by'], rows }] };
  },
});
