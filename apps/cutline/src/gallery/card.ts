/** One captioned image: its print on a mat, then caption, score, key and the other candidates. */
import type { Candidate, CaptionedRow } from '@cutline/shared/run';
import { type AttentionGrid, encodeAttention, squareGrid } from './attention.ts';
import { formatScore } from './format.ts';
import { Html, html } from './html.ts';
import { keyLine } from './key.ts';
import type { Thumbnail } from './thumbnail.ts';

/** @throws Error where the row's attention does not fit its caption or the grid. */
export function card(
  row: CaptionedRow,
  thumbnail: Thumbnail | undefined,
  attentionGrid: AttentionGrid | undefined,
): Html {
  return html`
<li class="card" data-score="${row.score ?? ''}"${attentionOf(row, attentionGrid)}>
<div class="mat">${print(row, thumbnail)}</div>
<p class="caption" dir="auto">${row.caption}</p>
<p class="facts">${scoreOf(row)}<span>${row.width} × ${row.height}</span></p>
${keyLine(row.key)}
${otherCandidates(row.candidates.slice(1))}
</li>`;
}

function print(row: CaptionedRow, thumbnail: Thumbnail | undefined): Html {
  if (!thumbnail) return html`<p class="no-preview">No preview: the image cannot be read now</p>`;
  const source = new Html(`data:image/webp;base64,${thumbnail.bytes.toString('base64')}`);
  return html`<div class="print"><img src="${source}" alt="${row.caption}" width="${thumbnail.width}" height="${thumbnail.height}" loading="lazy" decoding="async"></div>`;
}

function otherCandidates(candidates: readonly Candidate[]): Html | undefined {
  if (candidates.length === 0) return undefined;
  const items = candidates.map(
    ({ caption, score }) => html`<li><span dir="auto">${caption}</span>${scoreOf({ score })}</li>`,
  );
  const noun = candidates.length === 1 ? 'other candidate' : 'other candidates';
  return html`<details><summary>${candidates.length} ${noun}</summary><ol start="2">${items}</ol></details>`;
}

function scoreOf({ score }: Pick<Candidate, 'score'>): Html | undefined {
  return score === null ? undefined : html`<span class="score">${formatScore(score)}</span>`;
}

/** The attributes that the page's script reads; none where attention has nowhere to point. */
function attentionOf(
  row: CaptionedRow,
  attentionGrid: AttentionGrid | undefined,
): Html | undefined {
  const [firstWord] = row.attention ?? [];
  if (!row.attention || !firstWord || firstWord.length === 1) return undefined;
  const { rows, columns } = attentionGrid ?? squareGrid(firstWord.length);
  const words = row.caption.split(' ').length;
  if (row.attention.length !== words || row.attention.some((w) => w.length !== rows * columns)) {
    throw new Error(
      `expected attention [${words}, ${rows * columns}] for the caption of ${JSON.stringify(row.key)}, ` +
        `found [${row.attention.length}, ${[...new Set(row.attention.map((w) => w.length))].join('|')}]`,
    );
  }
  return html` data-grid="${rows}x${columns}" data-attention="${encodeAttention(row.attention)}"`;
}
