import type pg from 'pg';
import type { Client } from './sql.ts';

/** How a script ended: `error` is the driver's, and absent where all of it ran. */
export interface ScriptEnd {
  /** How many statements ended well. */
  completed: number;
  error?: unknown;
}

export interface ScriptOptions {
  /** What COPY … FROM stdin asks for, in the order in which it is asked. */
  data?: readonly string[];
  /** A message of the server that is no error. */
  notice?: (notice: { code?: string | undefined; message?: string | undefined }) => void;
}

/** The part of the driver's protocol layer that a query of one's own uses; its types leave the COPY messages out. */
interface Wire {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(reason: string): void;
}

/** How much of COPY's data goes into one message, in bytes. */
const chunkBytes = 1 << 16;

/**
 * Sends a text of any number of statements as one simple query, in one round trip: what the driver's own `query` does, and
 * two things that it does not: it feeds COPY … FROM stdin, and tells how many statements had ended before one failed.
 * Rows are thrown away. Never rejects.
 */
export async function runScript(
  client: Client,
  text: string,
  { data = [], notice }: ScriptOptions = {},
): Promise<ScriptEnd> {
  if (notice !== undefined) client.on('notice', notice);
  try {
    return await new Promise<ScriptEnd>((resolve) => client.query(new Script(text, data, resolve)));
  } finally {
    if (notice !== undefined) client.off('notice', notice);
  }
}

/** What the driver calls a "submittable": it hands every message about the query to the method of that name. */
class Script implements pg.Submittable {
  // The driver puts its own time limit around this one; the promise is settled by the messages alone.
  callback = (): void => undefined;
  private completed = 0;
  private readonly text: string;
  private readonly data: string[];
  private readonly ended: (end: ScriptEnd) => void;

  constructor(text: string, data: readonly string[], ended: (end: ScriptEnd) => void) {
    this.text = text;
    this.data = [...data];
    this.ended = ended;
  }

  submit(connection: unknown): void {
    (connection as Wire).query(this.text);
  }

  handleCommandComplete(): void {
    this.completed += 1;
  }

  handleCopyInResponse(connection: Wire): void {
    const text = this.data.shift();
    if (text === undefined) {
      connection.sendCopyFail('the file holds no data for it');
      return;
    }
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      connection.sendCopyFromChunk(bytes.subarray(at, at + chunkBytes));
    }
    connection.endCopyFrom();
  }

  handleError(error: unknown): void {
    this.ended({ completed: this.completed, error });
  }

  handleReadyForQuery(): void {
    this.ended({ completed: this.completed });
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCopyData(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
}
