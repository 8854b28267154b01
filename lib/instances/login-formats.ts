import { type Login, loginEnvironment, quoteForEnvironment } from './login.ts';

type Writer = (login: Login, instance: string) => string;

/** The forms in which `connect` writes a login, each as the program of that name reads it. */
export const loginFormats = {
  url: ({ url }) => url,
  env: (login) => environmentLines(login).join('\n'),
  json: (login) => JSON.stringify(login),
  psql: ({ host, port, database, username, password }) =>
    `PGPASSWORD=${quoteForEnvironment(password)} psql -h ${host} -p ${port} -U ${quoteForEnvironment(username)} -d ${quoteForEnvironment(database)}`,
  jdbc: ({ host, port, database, username, password }) => {
    const query = new URLSearchParams({ user: username, password });
    return `jdbc:postgresql://${host}:${port}/${encodeURIComponent(database)}?${query.toString()}`;
  },
  // ~/.pgpass: colons and backslashes within a field are escaped.
  pgpass: ({ host, port, database, username, password }) =>
    [host, String(port), database, username, password]
      .map((field) => field.replaceAll(/[:\\]/g, String.raw`\$&`))
      .join(':'),
  // ~/.pg_service.conf: psql service=NAME
  service: ({ host, port, database, username, password }, instance) =>
    [
      `[${instance}]`,
      `host=${host}`,
      `port=${port}`,
      `dbname=${database}`,
      `user=${username}`,
      `password=${password}`,
    ].join('\n'),
  // Servers listen on loopback: a container reaches them on the host's network.
  docker: (login) => ['--network host', ...environmentLines(login).map((line) => `-e ${line}`)].join(' '),
  // The fields of n8n's Postgres credential.
  n8n: ({ host, port, database, username, password }) =>
    JSON.stringify({ host, port, database, user: username, password, ssl: 'disable' }, null, 2),
  // The configuration node of node-red-contrib-postgresql.
  'node-red': ({ host, port, database, username, password }, instance) =>
    JSON.stringify(
      {
        type: 'postgreSQLConfig',
        name: instance,
        host,
        port,
        database,
        ssl: false,
        credentials: { user: username, password },
      },
      null,
      2,
    ),
} as const satisfies Record<string, Writer>;

export type LoginFormat = keyof typeof loginFormats;

/** Lines that a shell and a .env file read alike. */
export function environmentLines(login: Login): string[] {
  return Object.entries(loginEnvironment(login)).map(([name, value]) => `${name}=${quoteForEnvironment(value)}`);
}
