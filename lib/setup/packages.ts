/** What a machine may lack that its package manager has. */
export type Need = 'postgresql' | 'pgbouncer' | 'zstd' | 'lz4' | 'tar' | 'cron';

/** From whom a machine gets its programs: by the command that is there. */
export const managers = ['apt-get', 'dnf', 'apk', 'brew'] as const;
export type Manager = (typeof managers)[number];

/** How each calls what we need; what it does not have is left out. */
const names: Readonly<Record<Manager, Partial<Record<Need, readonly string[]>>>> = {
  'apt-get': { postgresql: ['postgresql', 'postgresql-contrib'], cron: ['cron'] },
  dnf: { postgresql: ['postgresql-server', 'postgresql-contrib'], cron: ['cronie'] },
  apk: { postgresql: ['postgresql', 'postgresql-contrib'], cron: [] },
  brew: { postgresql: ['postgresql'], tar: [], cron: [] },
};

const installing: Readonly<Record<Manager, readonly string[]>> = {
  'apt-get': ['install', '-y', '--no-install-recommends'],
  dnf: ['install', '-y'],
  apk: ['add'],
  brew: ['install'],
};

/** Pure: the packages that bring what is needed, each once. */
export function packagesFor(manager: Manager, needs: readonly Need[]): string[] {
  return [...new Set(needs.flatMap((need) => names[manager][need] ?? [need]))];
}

/** Pure: the words behind the manager's own name. */
export function installArguments(manager: Manager, packages: readonly string[]): string[] {
  return [...installing[manager], ...packages];
}

/** Pure: what a person types, as root where the manager wants root. */
export function installCommand(manager: Manager, needs: readonly Need[]): string {
  const command = [manager, ...installArguments(manager, packagesFor(manager, needs))].join(' ');
  // A new Debian knows of no packages at all.
  return manager === 'apt-get' ? `apt-get update && ${command}` : command;
}
