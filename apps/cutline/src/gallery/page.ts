/**
 * The page around the cards: head, title, legend, controls and foot. The page is one file that
 * asks nothing of any network, now or when it is opened in twenty years, and its content security
 * policy says so: no source but data: for images, and only the style and the scripts whose hashes
 * are named, so that nothing in a key or caption could ever run.
 */
import { createHash } from 'node:crypto';
import { Html, html } from '../page/html.ts';
import { icon } from '../page/icon.ts';
import { formatCount, formatDate, formatInteger } from './format.ts';
import type { GalleryRun, GalleryTotals } from './gallery.ts';
import { generator, type PagePlace, pageMark, pageName } from './page-files.ts';
import { pageLinks } from './page-links.ts';
import { pageStyle } from './page-style.ts';

/** Everything before the first card. */
export function pageStart(run: GalleryRun, place: PagePlace, scripts: readonly string[]): Html {
  const { number, pages, name } = place;
  const last = number === pages ? '' : encodeURIComponent(pageName(name, pages));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy(scripts)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
${new Html(generator)}${number > 1 ? new Html(`\n${pageMark(place)}`) : undefined}
<title>${run.run}${number > 1 ? ` · page ${number}` : ''} · Cutline</title>
<link rel="icon" href="${icon}">
<style>${new Html(pageStyle)}</style>
</head>
<body>
<header class="page-header">
<p class="eyebrow">Cutline</p>
<h1>${run.run}</h1>
<p class="imprint">${imprint(run)}</p>
${totals(run.totals, last)}
${legend(run)}
</header>
${controls(pages)}
<main id="images">
${pageLinks(place)}
<h2 class="unseen">Captioned images</h2>
<ol class="cards">`;
}

export interface PageContent {
  place: PagePlace;
  /** How many the page has. */
  cards: number;
  /** Of the last page: how many cards there are in all, and of how many rows that have one. */
  left: { shown: number; of: number } | undefined;
  /** The sections of failed and skipped images, on the last page. */
  uncaptioned: Html | undefined;
}

/** Everything after the last card. */
export function pageEnd(
  { place, cards, left, uncaptioned }: PageContent,
  scripts: readonly string[],
): Html {
  const more =
    left && left.of > left.shown
      ? html`<p class="notice">These are the first ${formatInteger(left.shown)} of ${formatCount(left.of, 'captioned image')}: a gallery that is to open anywhere has its limit (<code>--limit</code>). <code>cutline export</code> has them all.</p>`
      : undefined;
  const none = cards === 0 ? html`<p class="notice">No image has a caption yet.</p>` : undefined;
  return html`
</ol>
<p class="notice" id="no-match" hidden>Nothing here matches the search.</p>
${none}${more}${pageLinks(place)}
${uncaptioned}
</main>
<footer class="page-footer"><p>Made by Cutline. Each page is complete in itself: it loads nothing from anywhere.</p></footer>
<p class="unseen" id="announcement" role="status"></p>
${scripts.map((script) => html`<script type="module">${new Html(script)}</script>\n`)}
</body>
</html>
`;
}

function contentSecurityPolicy(scripts: readonly string[]): string {
  const hashes = scripts.map(sourceHash).join(' ');
  return `default-src 'none'; img-src data:; style-src ${sourceHash(pageStyle)}; script-src ${hashes}; base-uri 'none'; form-action 'none'`;
}

function sourceHash(source: string): string {
  return `'sha256-${createHash('sha256').update(source).digest('base64')}'`;
}

function imprint({ model, created, finished }: GalleryRun): Html {
  const days = [...new Set([created, finished].filter((day) => day !== undefined).map(formatDate))];
  const dates = days.length > 0 ? html`<span>${days.join(' – ')}</span>` : undefined;
  return html`<span>Model <code>${model}</code></span>${dates}`;
}

/** @param last the page that lists what has no caption, where that is another */
function totals(
  { images, captioned, skipped, failed, reviewed = 0 }: GalleryTotals,
  last: string,
): Html {
  const waiting = images - captioned - skipped - failed;
  return html`<dl class="totals">
<div><dt>images</dt><dd>${formatInteger(images)}</dd></div>
<div><dt>captioned</dt><dd>${formatInteger(captioned)}</dd></div>
${reviewed > 0 ? html`<div><dt>reviewed</dt><dd>${formatInteger(reviewed)}</dd></div>` : undefined}
${total('skipped', skipped, last)}
${total('failed', failed, last)}
${waiting > 0 ? html`<div><dt>still to do</dt><dd>${formatInteger(waiting)}</dd></div>` : undefined}
</dl>`;
}

function total(section: 'skipped' | 'failed', count: number, last: string): Html {
  const number = formatInteger(count);
  const linked = count > 0 ? html`<a href="${last}#${section}">${number}</a>` : number;
  return html`<div><dt>${section}</dt><dd>${linked}</dd></div>`;
}

function legend({ modelNote, lengthPenalty }: GalleryRun): Html {
  const normalisation =
    lengthPenalty === 0
      ? 'not normalised by length'
      : html`divided by (words + 1)<sup>${lengthPenalty}</sup> so that short and long captions compare`;
  return html`<div class="legend">
<section><h2>Score</h2><p>The natural logarithm of the probability that the model gives its caption, ${normalisation}. It is never above 0, and nearer 0 is more certain. It tells how sure the model is, not whether it is right: begin a review with the least certain.</p></section>
<section id="attention-legend" hidden><h2>Where the model looked</h2><p>Point at a word of a caption, tap it, or step through the words with <kbd>←</kbd> <kbd>→</kbd>. The light falls where the model looked as it wrote that word, relative to the word’s own brightest spot.</p><p class="scale"><span>less</span><canvas width="128" height="1" aria-hidden="true"></canvas><span>more</span></p></section>
${modelNote === undefined ? undefined : html`<section><h2>Model</h2><p>${modelNote}</p></section>`}
</div>`;
}

/** Hidden until the script that serves them runs; they are about the page that they are on. */
function controls(pages: number): Html {
  const what = pages > 1 ? 'Search this page' : 'Search captions and keys';
  return html`<search class="controls" id="controls" hidden>
<label class="search"><span class="unseen">${what}</span><input type="search" id="query" placeholder="${what}" autocomplete="off" spellcheck="false"></label>
<label class="order"><span>Order</span><select id="order"><option value="listing">as listed</option><option value="least-certain">least certain first</option><option value="most-certain">most certain first</option></select></label>
<p class="shown" id="shown" role="status"></p>
</search>`;
}
