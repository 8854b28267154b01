/**
 * Where the memory limits of this process are written: its control group and every ancestor of it that is mounted, versions
 * 1 and 2 (man pages cgroups(7) and proc_pid_mountinfo(5)). Pure: takes the texts of /proc/self/cgroup and
 * /proc/self/mountinfo.
 */
export function limitFiles(cgroupText: string, mountinfoText: string): string[] {
  const groups = parseGroups(cgroupText);
  const files = parseMounts(mountinfoText).flatMap((mount) => {
    const group = groups.find(({ controllers }) =>
      mount.version === 2 ? controllers === '' : controllers.split(',').includes('memory'),
    );
    const name = mount.version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
    return group === undefined ? [] : folders(mount, group.path).map((folder) => `${folder}/${name}`);
  });
  return [...new Set(files)];
}

interface Group {
  /** Comma-separated; empty for version 2. */
  controllers: string;
  path: string;
}

/** Lines of /proc/self/cgroup: `4:memory:/user.slice`, `0::/user.slice`. */
function parseGroups(text: string): Group[] {
  return text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return controllers === undefined || path === undefined ? [] : [{ controllers, path }];
  });
}

interface Mount {
  version: 1 | 2;
  /** The group that the mount shows at its top. */
  root: string;
  folder: string;
}

/** Lines of mountinfo: `35 31 0:32 /root /folder rw - cgroup cgroup rw,memory`; before the dash comes any number of words. */
function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line): Mount[] => {
    const [front = '', back = ''] = line.split(' - ');
    const [, , , root, folder] = front.split(' ').map(unescapeMount);
    const [type, , options = ''] = back.split(' ');
    if (root === undefined || folder === undefined) return [];
    if (type === 'cgroup2') return [{ version: 2, root, folder }];
    return type === 'cgroup' && options.split(',').includes('memory') ? [{ version: 1, root, folder }] : [];
  });
}

/** Spaces and the like stand in mountinfo as `\040`. */
function unescapeMount(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** The group's folder and those above it up to the mount's, innermost first. */
function folders(mount: Mount, path: string): string[] {
  const names = below(mount.root, path);
  return names
    .map((_, index) => [mount.folder, ...names.slice(0, names.length - index)].join('/'))
    .concat(mount.folder);
}

/**
 * The names between the mount's root and the group. A group outside what is mounted (a container's path seen without a
 * namespace of its own, or one above the namespace's root, `/../..`) has the mount's top as its nearest folder.
 */
function below(root: string, path: string): string[] {
  const prefix = root.endsWith('/') ? root : `${root}/`;
  const names = `${path}/`.startsWith(prefix) ? path.slice(prefix.length).split('/').filter(Boolean) : [];
  return names.includes('..') ? [] : names;
}
