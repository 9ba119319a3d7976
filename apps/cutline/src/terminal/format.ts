import { failureClasses, type SkipReason } from '@cutline/shared/errors';
import type { UsageTotals } from '@cutline/shared/run';

export function formatCount(n: number): string {
  return n.toLocaleString('en-US');
}

/** `1 image`, `1,200 images` */
export function formatQuantity(n: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(n)} ${n === 1 ? singular : plural}`;
}

/** `corrupt 2, not-found 1`: failures in the order of their list, other reasons as they come. */
export function formatCounts(counts: Record<string, number>): string {
  const order: readonly string[] = failureClasses;
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([name, n]) => `${name} ${formatCount(n)}`)
    .join(', ');
}

/** `3 not a photograph, 2 listed before`: of reasons why images were skipped. */
export function formatReasons(counts: Record<string, number>): string {
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([reason, n]) => `${formatCount(n)} ${describeReason(reason)}`)
    .join(', ');
}

/** Why something was left out, in a sentence: `skipped: not a photograph`. */
export function describeReason(reason: string): string {
  return skipReasonTexts[reason as SkipReason] ?? reason;
}

const skipReasonTexts: Record<SkipReason, string> = {
  'not-an-image': 'not a photograph',
  duplicate: 'listed before',
  archived: 'archived, to be restored first',
};

/** `45 s`, `3 min`, `2 h 10 min`, `4 d 3 h` */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `12.3 images/s`; nothing while nothing moves. */
export function formatRate(imagesPerSecond: number): string {
  return imagesPerSecond >= 0.05 ? `${imagesPerSecond.toFixed(1)} images/s` : '';
}

/** `120,000 tokens asked, 9,800 answered, $0.0239`: of a server; the cost where it is known. */
export function formatUsage({
  promptTokens,
  completionTokens,
  costUsd,
}: Pick<UsageTotals, 'promptTokens' | 'completionTokens' | 'costUsd'>): string {
  const tokens = `${formatCount(promptTokens)} tokens asked, ${formatCount(completionTokens)} answered`;
  return costUsd === undefined ? tokens : `${tokens}, ${formatDollars(costUsd)}`;
}

/** `$1,234.50`; of less than a dollar, three digits. */
export function formatDollars(dollars: number): string {
  const digits = dollars < 1 ? { maximumSignificantDigits: 3 } : { minimumFractionDigits: 2 };
  return dollars.toLocaleString('en-US', { style: 'currency', currency: 'USD', ...digits });
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
