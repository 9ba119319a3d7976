/**
 * In the page: search, order, and the buttons that copy keys. The order is that of the elements
 * themselves, so that the keyboard and a screen reader follow it too.
 */

interface Item {
  readonly element: HTMLElement;
  readonly text: string;
}

const list = element('.cards');
const query = element('#query') as HTMLInputElement;
const order = element('#order') as HTMLSelectElement;
const cards = items('.card');
const entries = items('.entry');

query.addEventListener('input', search);
order.addEventListener('change', sort);
document.addEventListener('click', ({ target }) => {
  if (target instanceof HTMLButtonElement && target.className === 'copy') copyKey(target);
});
// A browser that comes back to the page may have kept both.
sort();
search();
element('#controls').hidden = false;

function element(selector: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(`expected an element ${selector} in the page`);
  return found;
}

/** Captioned images are found by caption and key, the others by key and message. */
function items(selector: string): Item[] {
  return [...document.querySelectorAll<HTMLElement>(selector)].map((item) => {
    const key = item.querySelector<HTMLElement>('[data-key]')?.dataset.key;
    const words = item.querySelector('.caption, .message')?.textContent;
    return { element: item, text: fold(`${words ?? ''}\n${key ?? ''}`) };
  });
}

/** Case and accents make no difference. */
function fold(text: string): string {
  return text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
}

function search(): void {
  const terms = fold(query.value).split(/\s+/).filter(Boolean);
  const matches = ({ text }: Item) => terms.every((term) => text.includes(term));
  let shown = 0;
  for (const item of [...cards, ...entries]) {
    item.element.hidden = !matches(item);
    if (!item.element.hidden) shown++;
  }
  for (const group of document.querySelectorAll<HTMLElement>('.group, main > section')) {
    group.hidden = !group.querySelector('.entry:not([hidden])');
  }
  const all = cards.length + entries.length;
  element('#no-match').hidden = shown > 0 || all === 0;
  element('#shown').textContent =
    terms.length > 0 ? `${shown} of ${all}` : `${all} ${all === 1 ? 'image' : 'images'}`;
}

function sort(): void {
  const score = ({ element }: Item) => Number(element.dataset.score);
  const sorted = {
    listing: () => cards,
    'least-certain': () => cards.toSorted((a, b) => score(a) - score(b)),
    'most-certain': () => cards.toSorted((a, b) => score(b) - score(a)),
  }[order.value];
  list.append(...(sorted?.() ?? cards).map((card) => card.element));
}

async function copyKey(button: HTMLButtonElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(button.dataset.key ?? '');
    button.textContent = 'Copied';
  } catch {
    // Browsers keep the clipboard from pages of plain http: then at least select the key.
    const key = button.parentElement?.querySelector('code');
    if (key) getSelection()?.selectAllChildren(key);
    button.textContent = 'Selected';
  }
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 1600);
}
