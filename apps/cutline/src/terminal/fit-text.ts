import stringWidth from 'string-width';

/** Text in the columns of a terminal, where a letter may take none, one or two of them. */

export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}

/** `a very lo…/scan_0001.jpg` */
export function shorten(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  const tail = takeWidth(charactersOf(text).reverse(), Math.ceil((width - 1) * 0.6));
  const head = takeWidth(charactersOf(text), width - 1 - stringWidth(tail.join('')));
  return `${head.join('')}…${tail.reverse().join('')}`;
}

/** Lines of whole words; a word that is longer than a line is cut, a letter that is stands alone. */
export function wrap(text: string, columns: number): string[] {
  const width = Math.max(1, columns);
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
      const piece = cut(line, width) || (charactersOf(line)[0] as string);
      lines.push(piece);
      line = line.slice(piece.length);
    }
  }
  return [...lines, line];
}

/**
 * Each line that is too long, wrapped: below what follows its label (`  failed     `), else a little
 * further in than it begins.
 */
export function wrapLines(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => {
      if (stringWidth(line) <= width) return [line];
      const [labelled = ''] = /^ *(?:\S+ {2,})?/.exec(line) ?? [];
      const hangs = labelled.trim() !== '' && labelled.length < width / 2;
      const label = hangs ? labelled : (/^ */.exec(line)?.[0] ?? '');
      const indent = hangs ? label.length : label.length + 2;
      const [first = '', ...rest] = wrap(line.slice(label.length), width - indent);
      return [label + first, ...rest.map((each) => ' '.repeat(indent) + each)];
    })
    .join('\n');
}

/** As many of the first characters as fit. */
export function cut(text: string, width: number): string {
  return takeWidth(charactersOf(text), width).join('');
}

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
