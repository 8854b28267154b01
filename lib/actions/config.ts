import { findInstallations } from '../postgres/installations.ts';
import { hostAction } from './action.ts';

interface Setting {
  value: string;
  origin: string;
}

export const config = hostAction({
  name: 'config',
  summary: 'the settings in force and where each comes from',
  examples: [['./manage.ts --action config', 'which root, which account, which PostgreSQL']],
  options: {},
  target: 'none',
  lock: 'none',
  changes: false,
  async run(context, options) {
    const { settings } = options as unknown as { settings: Record<string, Setting | undefined> };
    const found = await findInstallations({ folder: context.places.programs }, context.task.signal);
    const rows = Object.entries(settings).flatMap(([name, setting]) =>
      setting ? [[name === 'runAs' ? 'run-as' : name, setting.value, setting.origin]] : [],
    );
    const servers = found.map(({ bindir, version }) => ['postgresql', bindir, version]);
    return {
      data: { settings, installations: found },
      text: [{ head: ['setting', 'value', 'from'], rows: [...rows, ...servers] }],
    };
  },
});
