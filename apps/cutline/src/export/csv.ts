import { cellOf, columnsOf, type RowBatches } from './columns.ts';

/**
 * CSV (RFC 4180): comma, CRLF, quotation marks where they are needed. The header is in quotation
 * marks throughout, which spreadsheet programs drop when they save: so a file that was edited in
 * one is known to be no longer as Cutline wrote it.
 */
export async function* csvOf(
  rows: RowBatches,
  { bom, carried = [] }: { bom: boolean; carried?: readonly string[] },
): AsyncGenerator<string> {
  const columns = columnsOf(carried);
  yield `${bom ? byteOrderMark : ''}${columns.map(({ name }) => quote(name)).join(',')}\r\n`;
  for await (const batch of rows) {
    yield batch
      .map((row) => `${columns.map((column) => formatCell(cellOf(column, row))).join(',')}\r\n`)
      .join('');
  }
}

/** Whether a file begins as those do. */
export function isOwnCsv(head: string): boolean {
  return head.replace(byteOrderMark, '').startsWith('"key","etag","status",');
}

const byteOrderMark = '\uFEFF';

function formatCell(cell: string | number | null): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  const text = disarm(cell);
  return /[",\r\n]/.test(text) ? quote(text) : text;
}

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/**
 * Makes a text harmless to spreadsheet programs, which run what begins as a formula does: with
 * `=`, `+`, `-`, `@` or their full-width forms. A `'` is put right before such a character where it
 * begins the text, or would begin a cell if the file were opened with other separators than it has
 * (after `;`, a tab or a line break; spaces and quotation marks do not count); and before a tab or
 * a line break that begins the text. Apart from that the text stays as it is, so that it can be had
 * back: docs/EXPORT.md says how.
 */
export function disarm(text: string): string {
  const harmless = text.replaceAll(/(^|[;\t\r\n])([ "']*)([=+\-@＝＋－＠])/g, "$1$2'$3");
  return /^'*[\t\r\n]/.test(harmless) ? `'${harmless}` : harmless;
}
