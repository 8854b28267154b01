import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { exists, listFolder } from '../host/files.ts';
import { settingLines } from './setting-place.ts';

/** Where postgresql-common keeps the configuration of its clusters (its manual page pg_createcluster(1), "FILES"). */
const base = '/etc/postgresql';

/** A cluster of Debian's and Ubuntu's postgresql-common. */
export interface DebianCluster {
  /** `15/main` */
  id: string;
  version: string;
  name: string;
  config: string;
  data: string;
  /** Says whether it is started with the machine: auto, manual, or disabled, which lets nobody start it. */
  startConf: string;
}

/** The text of start.conf that keeps postgresql-common's tools and systemd from starting it. */
export const disabledText = (instance: string): string =>
  `# pg-manage runs this cluster, as its instance ${instance}; ./manage.ts release ${instance} gives it back.\ndisabled\n`;

/** @param id as pg_lsclusters shows it: version and name. @throws USAGE, NOT_ADOPTABLE */
export function readDebianCluster(id: string): DebianCluster {
  const [, version, name] = /^(\d+)[/-]([^/\s]+)$/.exec(id) ?? [];
  if (version === undefined || name === undefined) {
    throw new AppError('USAGE', `"${id}" is no cluster of Debian's`, {
      hint: 'write it as pg_lsclusters does: 15/main',
    });
  }
  const config = join(base, version, name);
  if (!exists(join(config, 'postgresql.conf'))) {
    const known = listFolder(base).flatMap((one) => listFolder(join(base, one)).map((other) => `${one}/${other}`));
    throw new AppError('NOT_ADOPTABLE', `there is no cluster ${version}/${name}: ${config} has no postgresql.conf`, {
      hint: known.length === 0 ? 'there are none here' : `there are: ${known.join(', ')}`,
    });
  }
  const data = settingLines(config).findLast((line) => line.name === 'data_directory')?.value;
  if (data === undefined) {
    throw new AppError('NOT_ADOPTABLE', `${config}/postgresql.conf does not say where its data is (data_directory)`);
  }
  return { id: `${version}/${name}`, version, name, config, data, startConf: join(config, 'start.conf') };
}
