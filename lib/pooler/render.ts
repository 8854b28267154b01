import { clientHost } from '../instances/connection.ts';
import { poolerRole } from '../instances/configure.ts';
import type { PoolerPaths } from './places.ts';
import type { PoolerPlan } from './plan.ts';
import { carriesStatements } from './program.ts';
import { lookupQuery } from './secrets.ts';

export interface Rendering {
  name: string;
  /** Where clients reach the pooler. */
  port: number;
  /** The server, over its socket. */
  server: { host: string; port: number };
  plan: PoolerPlan;
  version: string;
  /** The settings that operators may edit: templates/pgbouncer.ini. */
  template: string;
}

/** The configuration of one pooler. Of a setting that stands in it twice, PgBouncer takes the last. */
export function renderPooler(
  paths: Pick<PoolerPaths, 'socket'>,
  { name, port, server, plan, version, template }: Rendering,
): string {
  const databases = plan.pools.map(({ database, poolSize, limit }) => {
    const to = `host=${quoteValue(server.host)} port=${server.port} dbname=${quoteValue(database)}`;
    return `${database} = ${to} pool_size=${poolSize} max_db_connections=${limit}`;
  });
  const settings: [string, string | number][] = [
    ['listen_addr', clientHost],
    ['listen_port', port],
    ['unix_socket_dir', paths.socket],
    ['unix_socket_mode', '0700'],
    ['auth_type', 'scram-sha-256'],
    ['auth_user', poolerRole],
    ['auth_query', lookupQuery],
    ['pool_mode', plan.mode],
    ['max_client_conn', plan.maxClients],
    ['reserve_pool_size', 0],
    ...(carriesStatements(version) ? [['max_prepared_statements', 200] as [string, number]] : []),
  ];
  return [
    `; ${name}: written by pg-manage before every start of its pooler. Edit templates/pgbouncer.ini instead.`,
    '[databases]',
    ...databases,
    '',
    template.trimEnd(),
    '',
    `; What pg-manage decides. ${plan.mode}: ${plan.modeReason}.`,
    ...settings.map(([key, value]) => `${key} = ${value}`),
    '',
  ].join('\n');
}

/** The port in a configuration that was rendered before. */
export function portIn(text: string | undefined): number | undefined {
  const port = /^listen_port = (\d+)$/m.exec(text ?? '')?.[1];
  return port === undefined ? undefined : Number(port);
}

/** A value of a connection string in [databases]: in quotes, which are doubled within. */
function quoteValue(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
