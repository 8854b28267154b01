import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** PostgreSQL's own number of rounds (scram_iterations); a generated password needs no more. */
const rounds = 4096;

/**
 * What the server keeps of a password, made here as psql's \password does: the password itself is never sent, so neither
 * the server's log nor pg_stat_statements can hold it. For ASCII passwords, which SASLprep leaves as they are (RFC 5803).
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
  const sign = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(sign('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${storedKey}:${sign('Server Key').toString('base64')}`;
}
