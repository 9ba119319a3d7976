import { z } from 'zod';

export const runIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    'a run name has 1 to 64 letters, digits, "-" or "_", and starts with a letter or a digit',
  );

/** The date and the time, in UTC: `20261122-204312`. */
export function newRunName(now: Date): string {
  return now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}
