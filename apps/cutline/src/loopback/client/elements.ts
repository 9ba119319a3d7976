/** Elements of the page, by their ids; and small ones that are made. */

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`expected an element #${id} in the page`);
  return found as T;
}

/** Text is always set as text: captions and keys come from strangers. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  fields: Partial<Pick<HTMLElement, 'className' | 'textContent' | 'dir'>> = {},
  ...children: Node[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), fields);
  element.append(...children);
  return element;
}

/** A pair of a description list: what it is, and how much. */
export function figure(term: string, text: string): HTMLElement {
  return make('div', {}, make('dt', { textContent: term }), make('dd', { textContent: text }));
}
