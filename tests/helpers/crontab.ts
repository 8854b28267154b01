import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beginProgram, type Finished, type Sandbox, serviceAccount } from './cli.ts';

/** Stands in for cron: a `crontab` that keeps its text in a file, so that none of this machine is touched, and runs its lines. */
export class Crontab {
  /** What was in it before. */
  static readonly others = '5 5 * * * /bin/true\n';
  private readonly sandbox: Sandbox;
  private readonly bin: string;

  constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
    this.bin = join(sandbox.folder, 'bin');
    mkdirSync(this.bin);
    const file = join(this.bin, 'crontab.txt');
    writeFileSync(file, Crontab.others);
    chmodSync(file, 0o666);
    const script = `#!/bin/sh\ncase $1 in -l) cat '${file}' ;; -) cat >'${file}' ;; esac\n`;
    writeFileSync(join(this.bin, 'crontab'), script, { mode: 0o755 });
  }

  /** For commands that are to find this crontab and no other. */
  get env(): { PATH: string } {
    return { PATH: `${this.bin}:${process.env['PATH']}` };
  }

  text(): string {
    return readFileSync(join(this.bin, 'crontab.txt'), 'utf8');
  }

  /** Our own lines. */
  lines(): string[] {
    return this.text()
      .split('\n')
      .filter((line) => line.includes('/.pg-manage/') && !line.startsWith('#'));
  }

  /** Runs a line as cron does: with its environment, by /bin/sh, as the owner. */
  async run(line: string): Promise<Finished> {
    const account = serviceAccount();
    const { name, home } = account ?? { name: process.env['USER'] ?? 'nobody', home: this.sandbox.folder };
    const environment = [`HOME=${home}`, `LOGNAME=${name}`, 'SHELL=/bin/sh', 'PATH=/usr/bin:/bin'];
    const command = line.replace(/^(@reboot |(\S+ ){5})/, '').replaceAll(String.raw`\%`, '%');
    return await beginProgram('/usr/bin/env', ['-i', ...environment, '/bin/sh', '-c', command], {
      cwd: '/',
      ...(account === undefined ? {} : { account }),
    }).finished;
  }
}
