/**
 * The images without a caption: failures by class, skipped images by reason. They are gathered
 * while the cards stream by, and a run may hold millions: all are counted, and of each group the
 * first `listedMax` are kept.
 */

import {
  type FailureClass,
  failureClasses,
  type SkipReason,
  skipReasons,
} from '@cutline/shared/errors';
import type { FailedRow, ResultRow, SkippedRow } from '@cutline/shared/run';
import { type Html, type HtmlValue, html } from '../page/html.ts';
import { describeReason } from '../terminal/format.ts';
import { formatCount, formatInteger } from './format.ts';
import type { Gallery } from './gallery.ts';
import { keyLine } from './key.ts';

const failureMeanings: Readonly<Record<FailureClass, string>> = {
  empty: 'The object has no bytes.',
  unsupported: 'Not an image, or of a format that is not decoded.',
  corrupt: 'An image by its first bytes, but it cannot be decoded to its end.',
  'too-large': 'More bytes or pixels than the limits allow.',
  timeout: 'Decoding took longer than the limit.',
  'not-found': 'Deleted between listing and fetching.',
  changed: 'Replaced between listing and fetching.',
  'access-denied': 'The store refuses to hand it out.',
  refused: 'The model behind the server would not describe it, or gave no answer to use.',
  unavailable: 'The store or the server did not answer, and retrying did not help.',
  'worker-lost': 'Workers died repeatedly while they held this image alone.',
  internal: 'A bug in Cutline: please report it, with the message.',
};

const skipMeanings: Readonly<Record<SkipReason, string>> = {
  'not-an-image': 'It is no image, as its name or its content says.',
  archived: 'It is archived: restore it, then cutline retry --class archived.',
  duplicate: 'The same key was listed before.',
};

export class Uncaptioned {
  readonly #listedMax: number;
  readonly #failed = new Map<FailureClass, Group>();
  readonly #skipped = new Map<SkipReason, Group>();
  readonly #gallery: Pick<Gallery, 'tryAgain' | 'link'>;
  /** Images that failed, to which people have given a caption. */
  #written = 0;

  constructor(listedMax: number, gallery: Pick<Gallery, 'tryAgain' | 'link'>) {
    this.#listedMax = listedMax;
    this.#gallery = gallery;
  }

  /** Of every row; those with a caption are only looked at. */
  add(row: ResultRow): void {
    if (row.status === 'failed') this.#count(this.#failed, row.failure.class, row);
    else if (row.status === 'skipped') this.#count(this.#skipped, row.reason, row);
    else if (row.status === 'reviewed' && row.row.status === 'failed') this.#written++;
  }

  /** A section for the failures and one for the skipped images, each where there are any. */
  render(): Html {
    const { tryAgain } = this.#gallery;
    const failed = failureClasses.map((name) =>
      this.#renderGroup(name, failureMeanings[name], this.#failed.get(name)),
    );
    const skipped = skipReasons.map((name) =>
      this.#renderGroup(describeReason(name), skipMeanings[name], this.#skipped.get(name)),
    );
    return html`${[
      this.#failed.size + this.#written > 0
        ? section('failed', 'Failed', [retryNote(tryAgain), this.#writtenNote(), failed])
        : undefined,
      this.#skipped.size > 0 ? section('skipped', 'Skipped', skipped) : undefined,
    ]}`;
  }

  #count<Name>(groups: Map<Name, Group>, name: Name, row: FailedRow | SkippedRow): void {
    const group = groups.get(name) ?? { count: 0, listed: [] };
    groups.set(name, group);
    group.count++;
    if (group.listed.length < this.#listedMax) group.listed.push(row);
  }

  /** So that what is counted above as failed is all here. */
  #writtenNote(): Html | undefined {
    if (this.#written === 0) return undefined;
    const has = this.#written === 1 ? 'has' : 'have';
    return html`<p class="section-note">${formatCount(this.#written, 'image')} of these ${has} a caption that a person wrote, and ${has} a card.</p>`;
  }

  #renderGroup(name: string, meaning: string, group: Group | undefined): Html | undefined {
    if (!group) return undefined;
    const unlisted = group.count - group.listed.length;
    return html`
<div class="group">
<h3>${name} <span class="count">${formatInteger(group.count)}</span></h3>
<p class="meaning">${meaning}</p>
<ul>${group.listed.map((row) => renderEntry(row, this.#gallery.link?.(row.key)))}</ul>
${unlisted > 0 ? html`<p class="section-note">… and ${formatCount(unlisted, 'more image')}: <code>cutline export</code> names them all.</p>` : undefined}
</div>`;
  }
}

interface Group {
  count: number;
  readonly listed: (FailedRow | SkippedRow)[];
}

function section(id: string, heading: string, content: HtmlValue): Html {
  return html`
<section id="${id}" aria-labelledby="${id}-heading">
<h2 id="${id}-heading">${heading}</h2>
${content}
</section>`;
}

function retryNote(command: string): Html {
  return html`<p class="section-note">A fault that has healed since is worth another try: <code>${command}</code></p>`;
}

function renderEntry(row: FailedRow | SkippedRow, original: string | undefined): Html {
  const message =
    row.status === 'failed'
      ? html`<p class="message" dir="auto">${row.failure.message}</p>`
      : undefined;
  return html`
<li class="entry">${keyLine(row.key, original)}${message}</li>`;
}
