import { z } from 'zod';

/**
 * How the batches of a run stand to those of other runs of the same model: workers take them before
 * all normal ones, or when nothing else waits. Runs of one priority share the workers: each has a
 * window of batches in the queue, which are taken in the order in which they came.
 */
export const priorities = ['high', 'normal', 'low'] as const;

export type Priority = (typeof priorities)[number];

/** As runs and jobs say it, where it is not normal. */
export const prioritySchema = z.enum(['high', 'low']);
