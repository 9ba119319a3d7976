/** Keys of the page; none of them does anything while somebody writes, but those of writing. */

export interface Actions {
  accept(): void;
  reject(): void;
  /** Writes with the cursor at the end of the caption. */
  edit(): void;
  /** Takes what was written back, and leaves the caption. */
  leave(): void;
  /** @param number of a candidate, from 1 */
  take(number: number): void;
  next(): void;
  back(): void;
  undo(): void;
  zoom(): void;
  search(): void;
  filter(): void;
  help(): void;
}

const actionsByKey: Readonly<Record<string, keyof Omit<Actions, 'take' | 'leave'>>> = {
  Enter: 'accept',
  a: 'accept',
  x: 'reject',
  r: 'reject',
  e: 'edit',
  ' ': 'next',
  n: 'next',
  ArrowRight: 'next',
  b: 'back',
  ArrowLeft: 'back',
  u: 'undo',
  z: 'zoom',
  '/': 'search',
  f: 'filter',
  '?': 'help',
};

/** So that a key that is held down judges one image only. */
const repeatable: ReadonlySet<string> = new Set(['next', 'back']);

export function listenToKeys(actions: Actions, caption: HTMLTextAreaElement): void {
  document.addEventListener('keydown', (event) => {
    if (event.isComposing || document.querySelector('dialog[open]')) return;
    const { target, key } = event;
    if (target === caption) {
      if (key === 'Enter' && !event.shiftKey && !event.repeat) act(event, actions.accept);
      if (key === 'Escape') act(event, actions.leave);
      return;
    }
    if (isField(target) || (isButton(target) && (key === 'Enter' || key === ' '))) return;
    if ((event.ctrlKey || event.metaKey) && key === 'z') return act(event, actions.undo);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[1-9]$/.test(key)) {
      if (!event.repeat) act(event, () => actions.take(Number(key)));
      return;
    }
    const action = actionsByKey[key.length === 1 ? key.toLowerCase() : key];
    if (action && (!event.repeat || repeatable.has(action))) act(event, actions[action]);
  });
}

function act(event: Event, action: () => void): void {
  event.preventDefault();
  action();
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  );
}

function isButton(target: EventTarget | null): boolean {
  return target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement;
}
