/**
 * Waits until a condition holds, and fails where it does not in time: what tests do instead of
 * sleeping.
 *
 * @param condition asked every 20 ms; what it returns is returned, unless that is undefined or
 *   false. An error that it throws counts as "not yet", and is told of in the end.
 * @throws Error that names `what` once `deadlineMs` have passed.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { deadlineMs, what }: { deadlineMs: number; what: string },
): Promise<Exclude<T, false | undefined>> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    let cause: unknown;
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value as Exclude<T, false | undefined>;
    } catch (error) {
      cause = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
