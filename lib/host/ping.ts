/** How long a dead-man service may take to answer, in milliseconds. */
const limitMs = 10_000;

/**
 * Tells a dead-man service that something has begun, gone well or failed: the same address, with /start or /fail behind it
 * (the convention of healthchecks.io, which others follow).
 * @returns why it was not told, or undefined; never throws: whether the service is there must not matter to the work
 */
export async function ping(address: string, word: 'start' | 'success' | 'fail'): Promise<string | undefined> {
  const url = word === 'success' ? address : `${address.replace(/\/$/, '')}/${word}`;
  try {
    const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(limitMs), redirect: 'follow' });
    return ok ? undefined : `it answered ${status}`;
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    return cause?.message ?? message;
  }
}
