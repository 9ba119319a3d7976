import { z } from 'zod';

/** What answers of a server took: tokens, time, and money where its price is known. */

/** US dollars, whole billionths of them: sums are exact, in whatever order they are added. */
const dollarsSchema = z.number().nonnegative();

export const usageSchema = z.strictObject({
  promptTokens: z.int().nonnegative(),
  completionTokens: z.int().nonnegative(),
  /** From the request to the answer, in seconds; of the tries before it, nothing. */
  seconds: z.number().nonnegative(),
  costUsd: dollarsSchema.optional(),
});

export type Usage = z.infer<typeof usageSchema>;

export const usageTotalsSchema = z.strictObject({
  answers: z.int().positive(),
  ...usageSchema.shape,
});

export type UsageTotals = z.infer<typeof usageTotalsSchema>;

/** Of one answer. */
export function totalsOf(usage: Usage): UsageTotals {
  return { answers: 1, ...usage };
}

export function addUsage(a: UsageTotals | undefined, b: UsageTotals): UsageTotals {
  if (!a) return b;
  const hasCost = a.costUsd !== undefined || b.costUsd !== undefined;
  return {
    answers: a.answers + b.answers,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    seconds: addExactly(a.seconds, b.seconds, 1e3),
    ...(hasCost && { costUsd: addExactly(a.costUsd ?? 0, b.costUsd ?? 0, perDollar) }),
  };
}

/** The inverse of `addUsage`: what is left of a sum without a part of it; undefined for nothing. */
export function takeUsage(sum: UsageTotals, part: UsageTotals): UsageTotals | undefined {
  if (sum.answers === part.answers) return undefined;
  return {
    answers: sum.answers - part.answers,
    promptTokens: sum.promptTokens - part.promptTokens,
    completionTokens: sum.completionTokens - part.completionTokens,
    seconds: addExactly(sum.seconds, -part.seconds, 1e3),
    ...(sum.costUsd !== undefined && {
      costUsd: addExactly(sum.costUsd, -(part.costUsd ?? 0), perDollar),
    }),
  };
}

/** US dollars for a million tokens. */
export interface Price {
  prompt: number;
  completion: number;
}

/** In whole billionths of a dollar. */
export function costOf(
  { promptTokens, completionTokens }: Pick<Usage, 'promptTokens' | 'completionTokens'>,
  price: Price,
): number {
  const dollars = (promptTokens * price.prompt + completionTokens * price.completion) / 1e6;
  return Math.round(dollars * perDollar) / perDollar;
}

const perDollar = 1e9;

/** As whole numbers of `1 / units`, so that the order of additions makes no difference. */
function addExactly(a: number, b: number, units: number): number {
  return (Math.round(a * units) + Math.round(b * units)) / units;
}
