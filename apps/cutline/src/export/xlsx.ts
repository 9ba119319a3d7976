import { UserError } from '@cutline/shared/errors';
import { type Column, cellOf, columnsOf, type RowBatches } from './columns.ts';

/**
 * An Excel workbook. What does not fit into a sheet, which holds 1,048,576 rows, goes on in the
 * next: `captions_2`, with the same head. Texts are written as texts: no cell is a formula.
 *
 * @param limits smaller sheets, for tests
 * @throws UserError where a sheet would be larger than a zip file's entry may be (4 GiB of XML)
 */
export async function* xlsxOf(
  rows: RowBatches,
  { carried = [], rowsOfSheetMax }: { carried?: readonly string[]; rowsOfSheetMax?: number } = {},
): AsyncGenerator<Uint8Array> {
  const { writeXlsxStream } = await import('hucre/xlsx');
  const columns = columnsOf(carried);
  try {
    yield* writeXlsxStream(cells(rows, columns), {
      name: 'captions',
      columns: columns.map(({ name }) => ({ header: name, width: widths[name] ?? 12 })),
      freezePane: { rows: 1 },
      ...(rowsOfSheetMax !== undefined && { maxRowsPerSheet: rowsOfSheetMax }),
    });
  } catch (cause) {
    if ((cause as Error).name !== 'ZipError') throw cause;
    throw new UserError(
      'That is more than a workbook holds (4 GiB of text a sheet, or 4 GiB in all): choose another ' +
        'format, or fewer rows.',
      { cause },
    );
  }
}

/**
 * Whether a file begins as those do: with the first sheet, of unknown size, since it is streamed.
 * Excel and LibreOffice begin theirs with something else, also where they save one of ours.
 */
export function isOwnXlsx(head: string): boolean {
  return (
    head.startsWith('PK\u0003\u0004') && head.slice(0, 60).includes('xl/worksheets/sheet1.xml')
  );
}

/** In characters. */
const widths: Record<string, number> = { key: 40, caption: 60, candidates: 60, message: 40 };

async function* cells(rows: RowBatches, columns: readonly Column[]) {
  for await (const batch of rows) {
    for (const row of batch) {
      yield columns.map((column) => {
        const cell = cellOf(column, row);
        return typeof cell === 'string' ? fit(cell) : cell;
      });
    }
  }
}

/** UTF-16 units that Excel takes in a cell. */
const cellLengthMax = 32_767;

/**
 * A text as a cell can hold it: not too long, its lines ended as Excel ends them, without the two
 * characters that XML has not, and with what looks like Excel's way to write a character
 * (`_x0041_`) meaning itself.
 */
function fit(text: string): string {
  const whole =
    text.length <= cellLengthMax
      ? text
      : `${text.slice(0, cellLengthMax - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
  return whole
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[\uFFFE\uFFFF]/g, '\uFFFD')
    .replaceAll(/_(?=x[0-9A-Fa-f]{4}_)/g, '_x005F_');
}
