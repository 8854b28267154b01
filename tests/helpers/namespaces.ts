/**
 * A command line (see `RunOptions.inside`) that runs a program in namespaces of its own, after a step in them that only root
 * may do: limits and mounts that nobody else sees. A plain user is root enough in a user namespace.
 * @param kinds options of unshare(1)
 */
export function inNamespaces(kinds: readonly string[], step: string): string[] {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-current-user', '--keep-caps'];
  return ['unshare', ...user, ...kinds, 'sh', '-c', `${step}\nexec "$@"`, 'sh'];
}
