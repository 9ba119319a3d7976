/** The page of a review: shows one image after the other, and says what was decided. */
import { ApiError, post } from '../../loopback/client/api.ts';
import { byId, make } from '../../loopback/client/elements.ts';
import { openFilters, readFilters } from './filters.ts';
import { ImageList } from './image-list.ts';
import { type Actions, listenToKeys } from './keys.ts';
import type { Decide, Decided, DecisionKind, Item, Opening, Progress, Review } from './messages.ts';
import { Outbox } from './outbox.ts';
import { Pace } from './pace.ts';
import { Pictures } from './pictures.ts';
import { isModels, settledCaption, showItem, showWriting } from './show-item.ts';
import { describeEstimate, showProgress, showSaving } from './show-progress.ts';

/** A decision of this tab, to be taken back. */
interface Made {
  id: string;
  n: number;
  position: number;
  before: Review | null;
}

/** What others decide is asked for as often. */
const pollMs = 15_000;
/** Pictures that are fetched before they are wanted. */
const picturesAhead = 3;

const caption = byId<HTMLTextAreaElement>('caption');
const list = new ImageList();
const pictures = new Pictures();
const pace = new Pace();
const outbox = new Outbox(showSaving);
const made: Made[] = [];
let opening: Opening;
let progress: Progress;
let position = 0;
let item: Item | undefined;
/** Of the last image that was asked for: answers that come later than another's are dropped. */
let turn = 0;

const actions: Actions = {
  accept: () => {
    const text = caption.value.trim();
    if (!item || text === '') return;
    if (isModels(item)) decide('accepted');
    else decide('corrected', text);
  },
  reject: () => item && item.caption !== null && decide('rejected'),
  edit: () => {
    caption.focus();
    caption.setSelectionRange(caption.value.length, caption.value.length);
  },
  leave: () => {
    if (item) caption.value = settledCaption(item);
    caption.blur();
    showWriting();
  },
  take: (number) => {
    if (!item) return;
    const all = item.caption === null ? item.candidates : [item, ...item.candidates];
    const taken = all[number - 1]?.caption;
    if (taken === item.caption && taken !== undefined) decide('accepted');
    else if (taken) decide('corrected', taken);
  },
  next: () => go(Math.min(position + 1, list.images)),
  back: () => go(position - 1),
  undo,
  zoom: () => byId('mat').classList.toggle('is-zoomed'),
  search: () => {
    showFilters(true);
    byId('search').focus();
  },
  filter: () => showFilters(byId('filters').hidden === true),
  help: () => byId<HTMLDialogElement>('keys').showModal(),
};

await start().catch(tell);

async function start(): Promise<void> {
  opening = await post<Opening>('/api/open');
  progress = opening.progress;
  document.title = `${opening.run} · review · Cutline`;
  byId('run').textContent = opening.run;
  byId('who').textContent = opening.who;
  byId('model').textContent = opening.model;
  byId('show-filters').hidden = opening.isDraw;
  openFilters(opening, restart);
  listen();
  await select();
  byId('stage').hidden = false;
  setInterval(poll, pollMs);
}

function listen(): void {
  listenToKeys(actions, caption);
  const onClick = (id: string, action: () => void) => byId(id).addEventListener('click', action);
  onClick('accept', actions.accept);
  onClick('reject', actions.reject);
  onClick('next', actions.next);
  onClick('back', actions.back);
  onClick('undo', actions.undo);
  onClick('mat', actions.zoom);
  onClick('show-filters', actions.filter);
  onClick('show-keys', actions.help);
  onClick('again', restart);
  caption.addEventListener('input', showWriting);
}

/** Begins with what is wanted now. */
function restart(): void {
  select().catch(tell);
}

async function select(): Promise<void> {
  await list.select(readFilters());
  go(list.first);
}

function go(to: number): void {
  show(to).catch((error) => {
    // The server was started again, or has too many lists: those positions mean nothing any more.
    if (error instanceof ApiError && error.status === 410) restart();
    else tell(error);
  });
}

async function show(to: number): Promise<void> {
  if (to < 0) return;
  turn += 1;
  const asked = turn;
  const found = await list.at(to);
  if (asked !== turn) return;
  position = to;
  item = found;
  byId('mat').classList.remove('is-zoomed');
  byId('finished').hidden = found !== undefined;
  byId('desk').hidden = found === undefined;
  byId('mat').hidden = found === undefined;
  caption.blur();
  byId('position').textContent = found ? `${to + 1} of ${list.images}` : '';
  report();
  if (!found) return showEnd();
  showItem(found, pictures, actions.take);
  for (let ahead = 1; ahead <= picturesAhead; ahead++) {
    const next = await list.at(to + ahead);
    if (asked !== turn || !next) return;
    await pictures.get(next.n).catch(() => {}); // it is asked for again when it is wanted
  }
}

function decide(decision: DecisionKind, text?: string): void {
  if (!item) return;
  const { n, review: before, key } = item;
  const id = crypto.randomUUID();
  const request: Decide = { id, n, decision, seen: before?.id ?? null };
  if (text !== undefined) request.caption = text;
  const kept = decision === 'rejected' ? null : (text ?? item.caption);
  const at = new Date().toISOString();
  item.review = { id, decision, caption: kept, who: opening.who, at, isMine: true };
  made.push({ id, n, position, before });
  pace.note(performance.now());
  outbox.decide(request).then(
    (decided) => settle(decided, n, key, id),
    (error) => {
      forget(id);
      void list.setReview(n, before);
      tell(error);
    },
  );
  go(position + 1);
}

async function settle(
  { isStored, review, progress: now }: Decided,
  n: number,
  key: string,
  id: string,
) {
  progress = now;
  report();
  if (isStored) return;
  const back = made.find((each) => each.id === id)?.position;
  forget(id);
  await list.setReview(n, review);
  const what = review ? `${review.decision} by ${review.who}` : 'taken back';
  say(`Meanwhile, ${key} was ${what}. What you decided was not saved.`, {
    text: 'Look at it again',
    act: () => back !== undefined && go(back),
  });
}

/** The last decision of this tab; else the one on the screen, if it is this reviewer's. */
function undo(): void {
  const last = made.pop();
  const undoes = last?.id ?? (item?.review?.isMine ? item.review.id : undefined);
  const n = last?.n ?? item?.n;
  if (undoes === undefined || n === undefined) {
    say('There is nothing to take back.');
    return;
  }
  outbox.undo({ id: crypto.randomUUID(), undoes }).then(async ({ review, progress: now }) => {
    progress = now;
    const isOutdated = item?.n === n && item.review?.id !== review?.id;
    await list.setReview(n, review);
    if (isOutdated) go(position);
    else report();
  }, tell);
  if (last) void list.setReview(n, last.before).then(() => go(last.position));
}

function forget(id: string): void {
  const index = made.findIndex((each) => each.id === id);
  if (index >= 0) made.splice(index, 1);
}

function report(): void {
  showProgress(progress, pace, list.images - position);
  byId<HTMLButtonElement>('undo').disabled = made.length === 0 && !item?.review?.isMine;
}

function showEnd(): void {
  const { estimate } = progress;
  byId('end-heading').textContent = list.images === 0 ? 'Nothing here' : 'That was the last one';
  byId('end-text').textContent = estimate
    ? `Of ${estimate.judged} judged: ${describeEstimate(estimate)}`
    : list.images === 0
      ? 'No image is as you want it. Change what is shown.'
      : 'What was left out can be shown again.';
  byId('again').hidden = list.images === 0;
}

function showFilters(isShown: boolean): void {
  if (opening.isDraw) return;
  byId('filters').hidden = !isShown;
  byId('show-filters').setAttribute('aria-expanded', String(isShown));
}

async function poll(): Promise<void> {
  if (document.hidden) return;
  try {
    progress = await post<Progress>('/api/progress');
    report();
  } catch {
    // Whoever decides next is told.
  }
}

function tell(error: unknown): void {
  say(error instanceof Error ? error.message : String(error));
}

function say(text: string, action?: { text: string; act: () => void }): void {
  const close = make('button', { textContent: action?.text ?? 'Close' });
  const note = make(
    'div',
    { className: 'note' },
    make('p', { textContent: text, dir: 'auto' }),
    close,
  );
  close.addEventListener('click', () => {
    note.remove();
    action?.act();
  });
  byId('said').replaceChildren(note);
}
