import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { nowMs } from '../host/clock.ts';
import { readBytes } from '../host/files.ts';
import { overwrite } from '../host/for-good.ts';
import { crc32c } from './crc32c.ts';

/** Where a data directory that no server ever ran on says who it is. */
export interface Identity {
  systemIdentifier: bigint;
  /** Bytes of pg_control before its checksum; they differ by major version. */
  guardedBytes: number;
}

const controlFile = (dataDirectory: string): string => join(dataDirectory, 'global', 'pg_control');
const firstSegment = (dataDirectory: string): string => join(dataDirectory, 'pg_wal', '000000010000000000000001');
/** pg_control's data never pass this, so that it is written in one sector (PG_CONTROL_MAX_SAFE_SIZE of pg_control.h). */
const controlBytes = 512;
/** MOCK_AUTH_NONCE_LEN of pg_control.h; the nonce is what stands last before the checksum, from version 10 to 18. */
const nonceBytes = 32;
/** XLogLongPageHeaderData of xlog_internal.h: xlp_sysid follows the short header of 24 bytes. */
const identifierInSegment = 24;

/**
 * The identity of a data directory as initdb leaves it: its system identifier, proven by the checksum of pg_control and
 * told alike by its one WAL segment. Undefined when anything is not as these versions of PostgreSQL write it.
 */
export function readIdentity(dataDirectory: string): Identity | undefined {
  const control = readBytes(controlFile(dataDirectory), 0, controlBytes);
  const inSegment = readBytes(firstSegment(dataDirectory), identifierInSegment, 8);
  if (control?.length !== controlBytes || inSegment?.length !== 8) return undefined;
  const systemIdentifier = control.readBigUInt64LE(0);
  if (systemIdentifier === 0n || inSegment.readBigUInt64LE(0) !== systemIdentifier) return undefined;
  const guardedBytes = checksumOffset(control);
  return guardedBytes === undefined ? undefined : { systemIdentifier, guardedBytes };
}

/** The checksum follows what it guards, and beyond it there are only zeros: so its place is found in every version. */
function checksumOffset(control: Buffer): number | undefined {
  for (let offset = controlBytes - 4; offset > nonceBytes + 8; offset -= 4) {
    if (control.readUInt32LE(offset) !== 0)
      return crc32c(control.subarray(0, offset)) === control.readUInt32LE(offset) ? offset : undefined;
  }
  return undefined;
}

/**
 * Makes a copy of such a data directory one of its own: a new system identifier in pg_control and in the WAL's first page
 * (no checksum guards a page's header), and new secret bytes for those who try names that have no password. It is what
 * pg_createsubscriber does with `modify_subscriber_sysid`, spared of pg_resetwal as there is one page to mend only.
 * Nothing is synced here.
 */
export function giveIdentity(dataDirectory: string, { guardedBytes }: Identity): void {
  const systemIdentifier = newSystemIdentifier();
  const control = readBytes(controlFile(dataDirectory), 0, controlBytes)!;
  control.writeBigUInt64LE(systemIdentifier, 0);
  randomBytes(nonceBytes).copy(control, guardedBytes - nonceBytes);
  control.writeUInt32LE(crc32c(control.subarray(0, guardedBytes)), guardedBytes);
  overwrite(controlFile(dataDirectory), 0, control);
  overwrite(firstSegment(dataDirectory), identifierInSegment, control.subarray(0, 8));
}

/** Made as BootStrapXLOG of PostgreSQL's xlog.c makes it: seconds, microseconds and the end of a process number. */
function newSystemIdentifier(): bigint {
  const micros = BigInt(nowMs()) * 1000n + BigInt(randomInt(1000));
  return ((micros / 1_000_000n) << 32n) | ((micros % 1_000_000n) << 12n) | BigInt(process.pid & 0xfff);
}
