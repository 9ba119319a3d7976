import type { CaptionedRow, FailedRow, ResultRow } from '@cutline/shared/run';
import stringWidth from 'string-width';
import { pad, shorten, wrap } from './fit-text.ts';
import { describeReason } from './format.ts';

/**
 * Rows as a table of image, caption and score, formatted as they come: what was printed cannot be
 * moved, so the first rows decide how wide its columns are.
 *
 * On a terminal, captions are wrapped and keys shortened in the middle, since it is their ends
 * that differ. Elsewhere every row is one line and whole, for grep and for files.
 */
export class CaptionTable {
  readonly #columns: number | undefined;
  #widths: { key: number; caption: number } | undefined;

  /** @param columns of the terminal; undefined where it is none. */
  constructor(columns: number | undefined) {
    this.#columns = columns;
  }

  /** The lines of these rows, below the head when they are the first. */
  format(rows: readonly ResultRow[]): string {
    const cells = rows.map(toCells);
    if (!this.#widths) cells.unshift(['image', 'caption', 'score']);
    const widths = this.#widths ?? this.#chooseWidths(cells);
    this.#widths = widths;
    return cells
      .flatMap((row) => this.#formatRow(row, widths))
      .map((line) => `${line.trimEnd()}\n`)
      .join('');
  }

  #chooseWidths(cells: readonly Cells[]): { key: number; caption: number } {
    const widest = (column: 0 | 1, rows: readonly Cells[]) =>
      Math.max(0, ...rows.map((row) => stringWidth(row[column])));
    // A failure's message has no score beside it, and may reach under that column.
    const key = widest(0, cells);
    const caption = widest(
      1,
      cells.filter(([, , score]) => score !== ''),
    );
    if (this.#columns === undefined) return { key, caption };
    const room = this.#columns - scoreWidth - 3 * gap.length;
    const share = Math.max(16, Math.floor(this.#columns * keyShare));
    const shownKey = Math.min(key, Math.max(8, Math.min(share, room - captionWidthMin)));
    return {
      key: shownKey,
      caption: Math.max(captionWidthMin, Math.min(caption, room - shownKey)),
    };
  }

  #formatRow([key, caption, score]: Cells, widths: { key: number; caption: number }): string[] {
    const isTerminal = this.#columns !== undefined;
    const room = score === '' ? widths.caption + gap.length + scoreWidth : widths.caption;
    const lines = isTerminal ? wrap(caption, room) : [caption];
    const shown = isTerminal ? shorten(key, widths.key) : key;
    return lines.map((line, index) =>
      [
        '',
        pad(index === 0 ? shown : '', widths.key),
        pad(line, widths.caption),
        index === 0 ? score.padStart(scoreWidth) : '',
      ].join(gap),
    );
  }
}

type Cells = [key: string, caption: string, score: string];

const gap = '  ';
/** `-12.34` */
const scoreWidth = 6;
const captionWidthMin = 20;
/** Of a terminal's columns, that keys may take. */
const keyShare = 0.4;

/** Failures, skips and rejected captions say why in the caption's place. */
function toCells(row: ResultRow): Cells {
  const key = makeVisible(row.key);
  if (row.status === 'captioned') return [key, makeVisible(row.caption), scoreOf(row)];
  if (row.status === 'reviewed') {
    if (row.caption === null) return [key, `(rejected by ${row.who})`, ''];
    return [key, makeVisible(row.caption), row.decision === 'accepted' ? scoreOf(row.row) : ''];
  }
  if (row.status === 'skipped') return [key, `(skipped: ${describeReason(row.reason)})`, ''];
  return [key, makeVisible(`(failed, ${row.failure.class}: ${row.failure.message})`), ''];
}

function scoreOf(row: CaptionedRow | FailedRow): string {
  return row.status === 'captioned' && row.score !== null ? row.score.toFixed(2) : '';
}

/** A key may have line breaks, or commands to the terminal, in it. */
function makeVisible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
