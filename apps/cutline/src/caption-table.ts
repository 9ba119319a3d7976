import type { PartRow } from '@cutline/shared';
import stringWidth from 'string-width';

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
  format(rows: readonly PartRow[]): string {
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
    const keyRoom = Math.max(16, Math.floor(this.#columns * keyShare));
    const shownKey = Math.min(key, keyRoom);
    const captionRoom = this.#columns - shownKey - scoreWidth - 3 * gap.length;
    return { key: shownKey, caption: Math.max(20, Math.min(caption, captionRoom)) };
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
/** Of a terminal's columns, that keys may take. */
const keyShare = 0.4;

/** Failures and skips say why in the caption's place. */
function toCells(row: PartRow): Cells {
  const key = makeVisible(row.key);
  if (row.status === 'captioned') return [key, row.caption, row.score.toFixed(2)];
  if (row.status === 'skipped') return [key, `(skipped: ${row.reason})`, ''];
  return [key, makeVisible(`(failed, ${row.failure.class}: ${row.failure.message})`), ''];
}

/** A key may have line breaks, or commands to the terminal, in it. */
function makeVisible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}

/** `a very lo…/scan_0001.jpg` */
function shorten(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  const tail = takeWidth(charactersOf(text).reverse(), Math.ceil((width - 1) * 0.6));
  const head = takeWidth(charactersOf(text), width - 1 - stringWidth(tail.join('')));
  return `${head.join('')}…${tail.reverse().join('')}`;
}

/** Lines of whole words; a word that is longer than a line is cut. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (stringWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    while (stringWidth(line) > width) {
      const piece = takeWidth(charactersOf(line), width).join('');
      lines.push(piece);
      line = line.slice(piece.length);
    }
  }
  return [...lines, line];
}

/** As many of the first characters as fit. */
function takeWidth(characters: readonly string[], width: number): string[] {
  let used = 0;
  const end = characters.findIndex((character) => {
    used += stringWidth(character);
    return used > width;
  });
  return characters.slice(0, end === -1 ? characters.length : end);
}

/** As a reader sees them: letters with their accents, emoji with their modifiers. */
function charactersOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

const segmenter = new Intl.Segmenter();
