import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { readText } from '../host/files.ts';
import { ensureFolder, removeFile } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import type { InstancePaths } from './places.ts';
import type { InstanceRecord } from './record.ts';

/** A password nobody has to type: 192 random bits. */
export function generatePassword(): string {
  return randomBytes(24).toString('base64url');
}

/** Keeps the password of a role of this instance, for `connect --username`. Mode 0600, the data's owner only. */
export function keepPassword(paths: InstancePaths, record: InstanceRecord, role: string, password: string): void {
  if (role !== record.role) ensureFolder(paths.passwords, 0o700);
  writeFileForGood(passwordFile(paths, record, role), `${password}\n`);
}

export function forgetPassword(paths: InstancePaths, record: InstanceRecord, role: string): void {
  if (role !== record.role) removeFile(passwordFile(paths, record, role));
}

/** @throws INSTANCE_BROKEN when the instance's own is gone, USAGE when this tool does not know the role's */
export function passwordOf(paths: InstancePaths, record: InstanceRecord, role: string): string {
  const password = readText(passwordFile(paths, record, role))?.trim();
  if (password) return password;
  if (role !== record.role || !knowsPassword(paths)) {
    throw new AppError('USAGE', `the password of role ${role} is not known here`, {
      hint: `give it a new one: ./manage.ts --action create-user --instance ${record.name} --username ${role} --new-password`,
    });
  }
  throw new AppError('INSTANCE_BROKEN', `the password file ${paths.password} is missing`, {
    hint: `give ${role} a new one: ./manage.ts --action create-user --instance ${record.name} --username ${role} --new-password`,
  });
}

/** False for an adopted instance whose role has a password that only its clients know: its file is there, and empty. */
export function knowsPassword({ password }: Pick<InstancePaths, 'password'>): boolean {
  return readText(password)?.trim() !== '';
}

function passwordFile(paths: InstancePaths, record: InstanceRecord, role: string): string {
  return role === record.role ? paths.password : join(paths.passwords, encodeURIComponent(role));
}
