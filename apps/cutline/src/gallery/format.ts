/** Numbers and dates as the page writes them, the same on every machine. */

export { formatScore } from '../loopback/client/format.ts';

const integers = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const dates = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });

export function formatInteger(count: number): string {
  return integers.format(count);
}

/** @param iso ISO 8601; the day is the one in UTC */
export function formatDate(iso: string): string {
  return dates.format(new Date(iso));
}

/** `1 image`, `2 images`. */
export function formatCount(count: number, noun: string): string {
  return `${formatInteger(count)} ${noun}${count === 1 ? '' : 's'}`;
}
