import Table from 'cli-table3';

export function formatCount(n: number): string {
  return n.toLocaleString('en-US');
}

/** `corrupt 2, not-found 1` */
export function formatCounts(counts: Record<string, number>): string {
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `${name} ${formatCount(n)}`)
    .join(', ');
}

/** `45 s`, `3 min`, `2 h 10 min`, `4 d 3 h` */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** A table without rules, wrapped to the terminal; the second column takes what room there is. */
export function formatTable(
  head: [string, string, string],
  rows: [string, string, string][],
  columns = process.stdout.columns ?? 100,
): string {
  const width = (index: number) =>
    Math.max(...[head, ...rows].map((row) => row[index]!.length)) + 2;
  const first = Math.min(width(0), Math.floor(columns * 0.4));
  const last = width(2);
  const second = Math.max(20, Math.min(width(1), columns - first - last - 2));
  const blank = { 'top-mid': '', 'top-left': '', 'top-right': '', 'bottom-mid': '' };
  const none = { 'bottom-left': '', 'bottom-right': '', 'left-mid': '', 'mid-mid': '' };
  const table = new Table({
    head,
    colWidths: [first, second, last],
    colAligns: ['left', 'left', 'right'],
    wordWrap: true,
    chars: {
      ...blank,
      ...none,
      top: '',
      bottom: '',
      left: '  ',
      mid: '',
      'right-mid': '',
      right: '',
      middle: '',
    },
    style: { 'padding-left': 0, 'padding-right': 2, head: [], border: [] },
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
