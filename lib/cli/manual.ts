import type { Options } from '../actions/action.ts';
import { actions } from '../actions/index.ts';
import { errorRegistry } from '../errors.ts';
import { addressOptions, commonOptions } from './options.ts';

/** The manual page in roff, of the same declarations as --help: `./manage.ts manual > pg-manage.1; man -l pg-manage.1`. */
export async function manual(version: string): Promise<string> {
  const lines = [
    `.TH PG-MANAGE 1 "" "pg-manage ${version}" "User Commands"`,
    '.SH NAME',
    String.raw`pg-manage \- many PostgreSQL instances on one machine, with backups that have been restored`,
    '.SH SYNOPSIS',
    String.raw`\fBpg\-manage \-\-action\fR \fIACTION\fR [\fB\-\-instance\fR \fISELECTOR\fR] [\fIoptions\fR]`,
    '.SH OPTIONS OF EVERY ACTION',
    ...optionLines({ ...addressOptions, ...commonOptions }),
    '.SH ACTIONS',
  ];
  for (const [name, { summary, load }] of Object.entries(actions)) {
    const { details, options, examples } = await load();
    lines.push(`.SS ${escape(name)}`, `${escape(summary)}.`);
    if (details !== undefined) lines.push('.PP', escape(details));
    lines.push(...optionLines(options));
    for (const [command, what] of examples) lines.push('.PP', `${escape(what)}:`, '.EX', escape(command), '.EE');
  }
  lines.push('.SH EXIT STATUS', '0 done; otherwise by the error code, which stands in brackets behind the message:');
  for (const [code, exit] of Object.entries(errorRegistry)) lines.push('.TP', escape(code), String(exit));
  return lines.join('\n');
}

function optionLines(options: Options): string[] {
  return Object.entries(options)
    .filter(([, { hidden }]) => !hidden)
    .flatMap(([name, { describe, alias, choices, type }]) => {
      const short = alias === undefined ? '' : `, \\-${alias}`;
      const value = type === 'boolean' ? '' : ` ${type === 'number' ? 'N' : 'VALUE'}`;
      return ['.TP', `.B \\-\\-${escape(name)}${short}${value}`, escape([describe, ...(choices ?? [])].join(', '))];
    });
}

/** A line of text that roff prints as it stands. */
function escape(text: string): string {
  return text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll("'", String.raw`\(aq`)
    .replace(/^\./, String.raw`\&.`)
    .replaceAll(
      /[^\n\x20-\x7e]/g,
      (letter) => `\\[u${letter.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
