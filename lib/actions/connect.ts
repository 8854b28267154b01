import { AppError } from '../errors.ts';
import type { Port } from '../host/ports.ts';
import { loginOf } from '../instances/login.ts';
import { type LoginFormat, loginFormats } from '../instances/login-formats.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { instanceAction } from './action.ts';
import { loginOptions } from './login-options.ts';
import { openInstance } from './shared.ts';

const ways = ['direct', 'pooler'] as const;
const formats = ['default', 'table', ...(Object.keys(loginFormats) as LoginFormat[])] as const;

export const connect = instanceAction({
  name: 'connect',
  summary: 'how clients connect',
  details: 'Shows the password: that is what it is for.',
  examples: [
    ['psql "$(./manage.ts --action connect --instance client-a --format url)"', 'a shell on its database'],
    ['eval "$(./manage.ts connect client-a --format env)"', 'DATABASE_URL and PGHOST … into this shell'],
    ['./manage.ts connect client-a --username report --format pgpass >> ~/.pgpass', 'another of its roles'],
    ['./manage.ts connect client-a --via pooler --format url', 'for an application of many clients'],
  ],
  options: {
    format: { type: 'string', choices: formats, describe: 'what to print' },
    ...loginOptions,
    via: { type: 'string', choices: ways, describe: 'which way (default direct)' },
  },
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, { format = 'default', username, database, via }) {
    const { record, paths } = openInstance(context, name);
    const login = loginOf(paths, record, {
      username,
      database,
      ...(via === 'pooler' ? { port: poolerPort(record) } : {}),
    });
    const data = { ...login };
    if (isFormat(format)) return { data, text: [{ line: loginFormats[format](login, record.name) }] };
    return { data, text: [{ fields: Object.entries(login).map(([key, value]) => [key, String(value)]) }] };
  },
});

/** @throws NO_POOLER */
function poolerPort({ name, pooler }: InstanceRecord): Port {
  if (pooler !== undefined) return pooler.port;
  throw new AppError('NO_POOLER', `instance ${name} has no pooler`, {
    hint: `give it one with: ./manage.ts --action pooler --instance ${name}`,
  });
}

function isFormat(format: string): format is LoginFormat {
  return Object.hasOwn(loginFormats, format);
}
