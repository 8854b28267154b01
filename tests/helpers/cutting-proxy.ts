import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ThrowawayConnection } from './throwaway-server.ts';

/**
 * Stands between a client and the server's socket, and ends the connection at one of the client's messages: after the
 * server has done what it asks, and before the client has heard of that.
 */
export class CuttingProxy {
  readonly folder = mkdtempSync(join(tmpdir(), 'pgm-proxy-'));
  /** How many messages clients have sent. */
  messages = 0;
  private readonly server: Server;
  private at = Infinity;

  private constructor(target: ThrowawayConnection) {
    this.server = createServer((client) => this.join(client, `${target.host}/.s.PGSQL.${target.port}`));
  }

  static async to(target: ThrowawayConnection): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target);
    await new Promise<void>((resolve) => proxy.server.listen(join(proxy.folder, '.s.PGSQL.5432'), resolve));
    return proxy;
  }

  cutAt(message: number): void {
    this.at = message;
  }

  connection(database: string): ThrowawayConnection {
    return { host: this.folder, port: 5432, user: 'postgres', database };
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
    rmSync(this.folder, { recursive: true });
  }

  private join(client: Socket, path: string): void {
    const server = createConnection(path);
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    let mute = false;
    client.on('data', (chunk) => {
      // The driver sends a query in one piece: a simple one begins with Q, one with parameters with P.
      if (chunk[0] === 0x51 || chunk[0] === 0x50) this.messages += 1;
      mute = this.messages >= this.at;
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      // ReadyForQuery (Z, five bytes, the state) ends every answer; what comes before it may ask for COPY's data.
      if (mute && chunk.at(-6) === 0x5a) cut();
      else client.write(chunk);
    });
    for (const socket of [client, server]) {
      socket.on('error', cut);
      socket.on('close', cut);
    }
  }
}
