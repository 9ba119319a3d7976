import type { CaptionedRow, ReviewedRow } from '@cutline/shared/run';

/** What a sidecar can say: a caption of the model's, or what a person made of it. */
export type SidecarRow = CaptionedRow | (ReviewedRow & { caption: string });

/** What XMP has room for. Who corrects a caption takes all of the model's words away with it. */
export interface Said {
  caption: string;
  altText: string;
  keywords: readonly string[];
  /** Of whoever wrote the caption. */
  writer: string;
  /** The model's id and its score, where the caption is the model's. */
  model: string | undefined;
  score: number | null;
  review: Pick<ReviewedRow, 'decision' | 'who' | 'at'> | undefined;
}

export function whatIsSaid(row: SidecarRow): Said {
  if (row.status === 'captioned') return saidByModel(row);
  const { caption, decision, who, at } = row;
  const review = { decision, who, at };
  if (decision === 'accepted' && row.row.status === 'captioned') {
    return { ...saidByModel(row.row), review };
  }
  const own = { caption, altText: caption, keywords: [], writer: who };
  return { ...own, model: undefined, score: null, review };
}

function saidByModel(row: CaptionedRow): Said {
  const { caption, altText = caption, keywords = [], model, score } = row;
  const writer = `Cutline, ${model.split('@')[0] ?? model}`;
  return { caption, altText, keywords, writer, model, score, review: undefined };
}
