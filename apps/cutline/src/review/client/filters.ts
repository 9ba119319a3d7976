/** What is to be shown, as the reviewer chooses it; kept in the tab, for reloads. */
import { byId, make } from '../../loopback/client/elements.ts';
import { formatCount } from '../../loopback/client/format.ts';
import type { Opening, Order, Query, ReviewState } from './messages.ts';

const storageKey = `cutline-review-query ${location.host}`;

const order = byId<HTMLSelectElement>('order');
const state = byId<HTMLSelectElement>('state');
const kind = byId<HTMLSelectElement>('kind');
const scoreMin = byId<HTMLInputElement>('score-min');
const scoreMax = byId<HTMLInputElement>('score-max');
const search = byId<HTMLInputElement>('search');

const searchPauseMs = 300;

/** @param onChange is called when another list is wanted. */
export function openFilters({ kinds }: Opening, onChange: () => void): void {
  kind.replaceChildren(
    ...kinds.map(({ kind, images }) => {
      const option = make('option', { textContent: `${nameKind(kind)} (${formatCount(images)})` });
      option.value = kind;
      return option;
    }),
  );
  restore();
  for (const field of [order, state, kind, scoreMin, scoreMax]) {
    field.addEventListener('change', onChange);
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  search.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, searchPauseMs);
  });
  byId('clear').addEventListener('click', () => {
    byId<HTMLFormElement>('filters').reset();
    onChange();
  });
}

export function readFilters(): Query {
  const query: Query = {
    order: order.value as Order,
    state: state.value as ReviewState,
    kind: kind.value,
    scoreMin: numberOf(scoreMin),
    scoreMax: numberOf(scoreMax),
    search: search.value,
  };
  sessionStorage.setItem(storageKey, JSON.stringify(query));
  const isPlain = state.value === 'open' && kind.selectedIndex === 0 && search.value === '';
  const isFiltered = !isPlain || query.scoreMin !== null || query.scoreMax !== null;
  byId('show-filters').classList.toggle('is-on', isFiltered);
  return query;
}

function restore(): void {
  const kept = sessionStorage.getItem(storageKey);
  if (kept === null) return;
  const query = JSON.parse(kept) as Query;
  order.value = query.order;
  state.value = query.state;
  kind.value = query.kind;
  if (kind.selectedIndex < 0) kind.selectedIndex = 0;
  scoreMin.value = query.scoreMin === null ? '' : String(query.scoreMin);
  scoreMax.value = query.scoreMax === null ? '' : String(query.scoreMax);
  search.value = query.search;
}

function nameKind(kind: string): string {
  if (kind === 'captioned') return 'all captions';
  if (kind === 'failed') return 'all failures';
  return kind.replace(':', ': ');
}

function numberOf({ value }: HTMLInputElement): number | null {
  const number = Number.parseFloat(value.replace('−', '-').replace(',', '.'));
  return Number.isFinite(number) ? number : null;
}
