import { createServer, type ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';
import { readSystemFile } from './inspect.ts';

export interface Served {
  status: number;
  contentType: string;
  body: string;
}

/** How long a reader may take over its question and our answer, in milliseconds. */
const readerMs = 30_000;

/**
 * What a server listens on for this machine alone: the name `localhost`, which may stand for 127.0.0.1, ::1 or both; the
 * address where /etc/hosts does not tell that name, as on an empty Debian, whose resolver does not know it either.
 */
export function loopbackHost(): string {
  const named = /^[^#\n]*\slocalhost(?:\s|#|$)/m.test(readSystemFile('/etc/hosts') ?? '');
  return named ? 'localhost' : '127.0.0.1';
}

/**
 * Answers GET on 127.0.0.1, and on no other address, until the signal aborts; then every connection is closed.
 * @param ready called when it listens
 * @throws PORT_IN_USE
 */
export async function serveLoopback(
  port: number,
  signal: AbortSignal,
  { answer, ready }: { answer: (path: string) => Promise<Served>; ready: () => void },
): Promise<void> {
  const server = createServer({ requestTimeout: readerMs, headersTimeout: readerMs }, (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method !== 'GET')
      return respond(response, { status: 405, contentType: 'text/plain', body: 'only GET\n' });
    void answer(pathname).then((served) => respond(response, served));
  });
  server.setTimeout(readerMs, (socket) => void socket.destroy());
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      server.close(() => resolve());
      server.closeAllConnections();
    };
    server.once('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', stop);
      reject(error.code === 'EADDRINUSE' ? inUse(port, error) : error);
    });
    server.listen({ host: '127.0.0.1', port }, () => {
      if (signal.aborted) return stop();
      signal.addEventListener('abort', stop, { once: true });
      ready();
    });
  });
}

function respond(response: ServerResponse, { status, contentType, body }: Served): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function inUse(port: number, cause: Error): AppError {
  return new AppError('PORT_IN_USE', `port ${port} of 127.0.0.1 is taken`, {
    hint: `see by whom: ss -ltnp 'sport = :${port}'`,
    cause,
  });
}
