/**
 * In the page: makes each word of a caption with attention show where the model looked as it
 * wrote the word, as light on the image. A word shows by pointing, by focus (one tab stop a
 * caption; arrow keys step through its words) and by tapping. One canvas serves all cards.
 *
 * A card's `data-attention` is base64 of a byte a location, word by word, each word scaled to its
 * own maximum; its `data-grid` is `<rows>x<columns>`.
 */

/** Pixels of the heat map a location, each way; the browser smooths from there to the image. */
const scale = 8;

/** Night, ember, gold: dark and cool where the model did not look, warm light where it did. */
const ramp = [
  [14, 14, 24, 0.68],
  [70, 28, 42, 0.6],
  [194, 72, 36, 0.5],
  [255, 168, 48, 0.42],
  [255, 236, 170, 0.34],
] as const;

const heat = document.createElement('canvas');
heat.className = 'heat';
heat.setAttribute('aria-hidden', 'true');

let pointedAt: HTMLElement | undefined;
let chosen: HTMLElement | undefined;
let shown: HTMLElement | undefined;

const captions = [...document.querySelectorAll<HTMLElement>('.card[data-attention] .print')].map(
  (print) => print.closest('.card')?.querySelector<HTMLElement>('.caption'),
);
for (const caption of captions) if (caption) splitIntoWords(caption);
if (captions.length > 0) showLegend();

document.addEventListener('pointerover', ({ target }) => {
  const word = wordOf(target);
  // Between two words of a caption, the word before stays: no flicker on the way.
  if (word === undefined && pointedAt?.parentElement === target) return;
  pointedAt = word;
  show();
});
document.addEventListener('pointerout', ({ relatedTarget }) => {
  if (relatedTarget) return;
  // The mouse left the window, or the finger the screen.
  pointedAt = undefined;
  show();
});
document.addEventListener('focusin', ({ target }) => choose(wordOf(target)));
document.addEventListener('focusout', ({ relatedTarget }) => choose(wordOf(relatedTarget)));
document.addEventListener('click', ({ target }) => choose(wordOf(target)));
document.addEventListener('keydown', (event) => {
  const word = wordOf(event.target);
  if (!word || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === 'Escape') word.blur();
  const next = neighbour(word, event.key);
  if (!next) return;
  event.preventDefault();
  next.focus();
});

function splitIntoWords(caption: HTMLElement): void {
  const words = (caption.textContent ?? '').split(' ').map((text, index) => {
    const word = document.createElement('span');
    word.className = 'word';
    word.textContent = text;
    word.setAttribute('role', 'button');
    word.tabIndex = index === 0 ? 0 : -1;
    return word;
  });
  caption.setAttribute('role', 'toolbar');
  caption.setAttribute('aria-label', 'Caption, word by word');
  caption.replaceChildren(...words.flatMap((word, index) => (index === 0 ? [word] : [' ', word])));
}

function wordOf(target: EventTarget | null): HTMLElement | undefined {
  return target instanceof HTMLElement && target.className === 'word' ? target : undefined;
}

function neighbour(word: HTMLElement, key: string): HTMLElement | undefined {
  const words = [...(word.parentElement?.children ?? [])] as HTMLElement[];
  const at = words.indexOf(word);
  if (key === 'ArrowRight' || key === 'ArrowDown') return words[at + 1];
  if (key === 'ArrowLeft' || key === 'ArrowUp') return words[at - 1];
  if (key === 'Home') return words[0];
  return key === 'End' ? words.at(-1) : undefined;
}

function choose(word: HTMLElement | undefined): void {
  chosen = word;
  if (word) {
    pointedAt = undefined;
    for (const other of word.parentElement?.children ?? []) (other as HTMLElement).tabIndex = -1;
    word.tabIndex = 0;
  }
  show();
  announce(word);
}

function show(): void {
  const word = pointedAt ?? chosen;
  if (word === shown) return;
  shown?.removeAttribute('data-shown');
  shown = word;
  const print = word?.closest('.card')?.querySelector('.print');
  if (!word || !print) {
    heat.remove();
    return;
  }
  word.setAttribute('data-shown', '');
  paint(attentionOf(word));
  if (heat.parentElement !== print) print.append(heat);
}

interface Attention {
  readonly rows: number;
  readonly columns: number;
  /** [rows · columns], 0 to 255 */
  readonly weights: Uint8Array;
}

function attentionOf(word: HTMLElement): Attention {
  const { attention = '', grid = '' } = word.closest<HTMLElement>('.card')?.dataset ?? {};
  const [rows = 0, columns = 0] = grid.split('x').map(Number);
  const index = [...(word.parentElement?.children ?? [])].indexOf(word);
  const bytes = Uint8Array.from(atob(attention), (character) => character.charCodeAt(0));
  const start = index * rows * columns;
  return { rows, columns, weights: bytes.subarray(start, start + rows * columns) };
}

function paint({ rows, columns, weights }: Attention): void {
  heat.height = rows * scale;
  heat.width = columns * scale;
  const context = heat.getContext('2d');
  if (!context) return;
  const across = enlarge(weights, columns);
  const both = transpose(enlarge(transpose(across, columns * scale), rows), rows * scale);
  const max = Math.max(...both) || 1;
  const pixels = context.createImageData(heat.width, heat.height);
  for (const [index, value] of both.entries()) pixels.data.set(light(value / max), index * 4);
  context.putImageData(pixels, 0, 0);
}

/**
 * Enlarges each row `scale` times with the cubic B-spline: smooth, never below 0, and without the
 * diamonds of linear interpolation. The outer values continue beyond the edge.
 */
function enlarge(values: ArrayLike<number>, columns: number): Float32Array {
  const rows = values.length / columns;
  const larger = new Float32Array(rows * columns * scale);
  for (let x = 0; x < columns * scale; x++) {
    const centre = (x + 0.5) / scale - 0.5;
    const left = Math.floor(centre);
    const f = centre - left;
    const spline = [
      (1 - f) ** 3 / 6,
      (3 * f ** 3 - 6 * f ** 2 + 4) / 6,
      (-3 * f ** 3 + 3 * f ** 2 + 3 * f + 1) / 6,
      f ** 3 / 6,
    ];
    for (let y = 0; y < rows; y++) {
      let sum = 0;
      for (const [tap, weight] of spline.entries()) {
        const column = Math.min(Math.max(left - 1 + tap, 0), columns - 1);
        sum += weight * (values[y * columns + column] ?? 0);
      }
      larger[y * columns * scale + x] = sum;
    }
  }
  return larger;
}

function transpose(values: ArrayLike<number>, columns: number): Float32Array {
  const rows = values.length / columns;
  return Float32Array.from(
    { length: values.length },
    (_, index) => values[(index % rows) * columns + Math.floor(index / rows)] ?? 0,
  );
}

/** @param value 0 to 1 @returns red, green, blue, alpha: 0 to 255 */
function light(value: number): number[] {
  const position = value * (ramp.length - 1);
  const below = Math.min(Math.floor(position), ramp.length - 2);
  const f = position - below;
  const [from, to] = [ramp[below] ?? ramp[0], ramp[below + 1] ?? ramp[0]];
  return from.map((c, i) => (c + f * ((to[i] ?? 0) - c)) * (i === 3 ? 255 : 1));
}

function showLegend(): void {
  const legend = document.getElementById('attention-legend');
  const bar = legend?.querySelector('canvas');
  const context = bar?.getContext('2d');
  if (!legend || !bar || !context) return;
  legend.hidden = false;
  const pixels = context.createImageData(bar.width, 1);
  for (let x = 0; x < bar.width; x++) pixels.data.set(light(x / (bar.width - 1)), x * 4);
  context.putImageData(pixels, 0, 0);
}

/** For those who do not see the light: where it is brightest, in words. */
function announce(word: HTMLElement | undefined): void {
  const announcement = document.getElementById('announcement');
  if (!announcement || !word) return;
  const { rows, columns, weights } = attentionOf(word);
  const brightest = weights.indexOf(Math.max(...weights));
  const third = (place: number, size: number) =>
    Math.min(2, Math.floor((3 * (place + 0.5)) / size));
  const vertical = ['upper', 'middle', 'lower'][third(Math.floor(brightest / columns), rows)];
  const horizontal = ['left', 'centre', 'right'][third(brightest % columns, columns)];
  announcement.textContent = `${word.textContent}: brightest at ${vertical} ${horizontal}`;
}
