/** One captioned image: its print on a mat, then caption, score, key and the other candidates. */
import type { Candidate, CaptionedRow, ReviewedRow } from '@cutline/shared/run';
import { Html, html } from '../page/html.ts';
import { type AttentionGrid, encodeAttention, squareGrid } from './attention.ts';
import { formatDate, formatScore } from './format.ts';
import type { Gallery } from './gallery.ts';
import { keyLine } from './key.ts';
import type { Thumbnail } from './thumbnail.ts';

/** @throws Error where the row's attention does not fit its caption or the grid. */
export function card(
  row: CaptionedRow | ReviewedRow,
  thumbnail: Thumbnail | undefined,
  { attentionGrid, link }: Pick<Gallery, 'attentionGrid' | 'link'>,
): Html {
  const original = link?.(row.key);
  if (row.status === 'captioned') {
    const attention = attentionOf(row, attentionGrid);
    return frame(row, row, { attention, thumbnail, original, candidates: row.candidates.slice(1) });
  }
  const model = row.row.status === 'captioned' ? row.row : undefined;
  // What people wrote has no word that the model looked for.
  const isModels = row.decision === 'accepted' && model !== undefined;
  const attention = isModels ? attentionOf(model, attentionGrid) : undefined;
  const candidates = isModels ? model.candidates.slice(1) : (model?.candidates ?? []);
  return frame(row, model, { attention, thumbnail, original, candidates });
}

interface CardParts {
  attention: Html | undefined;
  thumbnail: Thumbnail | undefined;
  /** The URL of the image itself, where it is known. */
  original: string | undefined;
  /** Besides the caption. */
  candidates: readonly Candidate[];
}

/** @param model undefined where it had no caption. */
function frame(
  row: CaptionedRow | ReviewedRow,
  model: CaptionedRow | undefined,
  { attention, thumbnail, original, candidates }: CardParts,
): Html {
  const size = model && html`<span>${model.width} × ${model.height}</span>`;
  const caption = row.caption ?? '';
  return html`
<li class="card" data-score="${model?.score ?? ''}"${attention}>
<div class="mat">${print(caption, thumbnail, original)}</div>
<p class="caption" dir="auto">${row.caption ?? html`<del>${model?.caption}</del>`}</p>
${row.status === 'reviewed' ? reviewOf(row) : undefined}
<p class="facts">${model && scoreOf(model)}${size}</p>
${keyLine(row.key, original)}
${otherCandidates(candidates, row.status === 'captioned' || row.decision === 'accepted' ? 2 : 1)}
</li>`;
}

const decisions = { accepted: 'Accepted', corrected: 'Written', rejected: 'Rejected' };

function reviewOf({ decision, who, at }: ReviewedRow): Html {
  return html`<p class="review"><span>${decisions[decision]} by <bdi>${who}</bdi>, ${formatDate(at)}</span></p>`;
}

function print(
  caption: string,
  thumbnail: Thumbnail | undefined,
  original: string | undefined,
): Html {
  if (!thumbnail) return html`<p class="no-preview">No preview: the image cannot be read now</p>`;
  const source = new Html(`data:image/webp;base64,${thumbnail.bytes.toString('base64')}`);
  const image = html`<img src="${source}" alt="${caption}" width="${thumbnail.width}" height="${thumbnail.height}" loading="lazy" decoding="async">`;
  return html`<div class="print">${original === undefined ? image : html`<a href="${original}" title="Open the original">${image}</a>`}</div>`;
}

/** All of the model's, or all but the first one, which is the caption. */
function otherCandidates(candidates: readonly Candidate[], first: 1 | 2): Html | undefined {
  if (candidates.length === 0) return undefined;
  const items = candidates.map(
    ({ caption, score }) => html`<li><span dir="auto">${caption}</span>${scoreOf({ score })}</li>`,
  );
  const noun = candidates.length === 1 ? 'other candidate' : 'other candidates';
  return html`<details><summary>${candidates.length} ${noun}</summary><ol start="${first}">${items}</ol></details>`;
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
