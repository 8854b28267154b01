declare const lsnBrand: unique symbol;
/** A position in the WAL as PostgreSQL writes it, `16/B374D848`. Made by `parseLsn`. */
export type Lsn = string & { [lsnBrand]: true };

/** @throws RangeError on text that is no LSN */
export function parseLsn(text: string): Lsn {
  if (!/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(text)) throw new RangeError(`"${text}" is no LSN`);
  return text.toUpperCase() as Lsn;
}

/** The position as a number of bytes. */
export function lsnBytes(lsn: Lsn): bigint {
  const [high, low] = lsn.split('/') as [string, string];
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** The position that is so many bytes from the beginning of the WAL. */
export function lsnAt(bytes: bigint): Lsn {
  return `${(bytes >> 32n).toString(16)}/${(bytes & 0xffffffffn).toString(16)}`.toUpperCase() as Lsn;
}

export function compareLsn(a: Lsn, b: Lsn): number {
  const difference = lsnBytes(a) - lsnBytes(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
