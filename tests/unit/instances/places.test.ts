import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseName } from '../../../lib/instances/names.ts';
import { instancePaths, placesOf, socketFolder } from '../../../lib/instances/places.ts';

const places = placesOf('/srv/pg', '/backups', '/var/lib/pg-manage-host');
const longestSocket = '/.s.PGSQL.65535';
/** sun_path of Linux, less its closing zero byte. */
const limitBytes = 107;

describe('placesOf and instancePaths', () => {
  it('keep instances, our own files and the repository apart', () => {
    expect(places).toMatchObject({ instances: '/srv/pg/instances', repository: '/backups' });
    expect(places.locks.startsWith('/srv/pg/.pg-manage/')).toBe(true);
    const paths = instancePaths(places, parseName('client-a'));
    expect(paths.folder).toBe('/srv/pg/instances/client-a');
    for (const path of Object.values(paths)) expect(`${path}/`.startsWith(`${paths.folder}/`)).toBe(true);
    expect(new Set(Object.values(paths)).size).toBe(Object.keys(paths).length);
  });
});

describe('socketFolder', () => {
  it('is the folder wished for up to the last byte that fits', () => {
    const fits = `/${'x'.repeat(limitBytes - longestSocket.length - 1)}`;
    expect(socketFolder(places, fits)).toBe(fits);
    expect(socketFolder(places, `${fits}x`)).toMatch(/^\/var\/lib\/pg-manage-host\/run\/[0-9a-f]{16}$/);
  });

  it('counts bytes, not letters', () => {
    const letters = `/${'é'.repeat(50)}`;
    expect(letters.length).toBeLessThan(92);
    expect(socketFolder(places, letters)).not.toBe(letters);
  });

  it('is the same each time, and another one for another instance', () => {
    const long = (name: string): string => `/${'deep/'.repeat(30)}${name}/run`;
    expect(socketFolder(places, long('a'))).toBe(socketFolder(places, long('a')));
    expect(socketFolder(places, long('a'))).not.toBe(socketFolder(places, long('b')));
  });

  it('always holds a socket', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 300 }), (tail) => {
        const socket = socketFolder(places, `/${tail}`) + longestSocket;
        expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(limitBytes);
      }),
    );
  });
});
