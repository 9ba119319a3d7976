/** Links from page to page; they lead past the head of the page. */

import { Html, html } from '../page/html.ts';
import { formatInteger } from './format.ts';
import { type PagePlace, pageName } from './page-files.ts';

/** Pages that are named on either side of this one. */
const neighbours = 2;

/** Nothing where there is one page. */
export function pageLinks({ number, pages, name }: PagePlace): Html | undefined {
  if (pages === 1) return undefined;
  const link = (to: number, text: string, rel?: 'prev' | 'next') =>
    html`<a href="${encodeURIComponent(pageName(name, to))}#images"${rel && new Html(` rel="${rel}"`)}>${text}</a>`;
  const numbers = Array.from({ length: pages }, (_, n) => n + 1).filter(
    (n) => n === 1 || n === pages || Math.abs(n - number) <= neighbours,
  );
  const items = numbers.map((n, index) => {
    const isGap = n - (numbers[index - 1] ?? 0) > 1;
    const text = formatInteger(n);
    const item = n === number ? html`<b aria-current="page">${text}</b>` : link(n, text);
    return html`${isGap ? html`<li aria-hidden="true">…</li>` : undefined}<li>${item}</li>`;
  });
  return html`<nav class="pages" aria-label="Pages">
${number > 1 ? link(number - 1, '← Previous', 'prev') : undefined}
<ol>${items}</ol>
${number < pages ? link(number + 1, 'Next →', 'next') : undefined}
</nav>`;
}
