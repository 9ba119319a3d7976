/** The image that is being judged, on the screen. */
import { byId, make } from '../../loopback/client/elements.ts';
import { formatScore } from '../../loopback/client/format.ts';
import { visibleKey } from '../../loopback/client/visible-key.ts';
import type { Item, Review } from './messages.ts';
import type { Pictures } from './pictures.ts';

const caption = byId<HTMLTextAreaElement>('caption');
const image = byId<HTMLImageElement>('image');
const mat = byId('mat');

let shown: Item | undefined;

/** What the caption says when nobody has written. */
export function settledCaption({ caption, review }: Item): string {
  return review?.caption ?? caption ?? '';
}

/** Whether the model's caption stands there, as a field has it: with line feeds alone. */
export function isModels(item: Item): boolean {
  return caption.value.trim() === (item.caption ?? '').replaceAll(/\r\n?/g, '\n').trim();
}

export function showItem(item: Item, pictures: Pictures, onTake: (number: number) => void): void {
  shown = item;
  caption.value = settledCaption(item);
  caption.placeholder = item.caption === null ? 'The model has no caption: write one' : '';
  byId('key').textContent = visibleKey(item.key);
  byId('key').title = item.key;
  byId('facts').replaceChildren(...factsOf(item));
  byId('notes').replaceChildren(
    ...item.notes.map((note) => make('li', { textContent: note, dir: 'auto' })),
  );
  byId('candidates').replaceChildren(...candidatesOf(item, onTake));
  showReview(item.review);
  showWriting();
  void showPicture(item, pictures);
}

/** Whether what stands there is the model's caption, decides what Enter will do. */
export function showWriting(): void {
  if (!shown) return;
  const text = caption.value.trim();
  const isAsShown = isModels(shown);
  byId('accept-label').textContent = isAsShown ? 'Accept' : 'Save';
  byId<HTMLButtonElement>('accept').disabled = text === '';
  byId<HTMLButtonElement>('reject').disabled = shown.caption === null;
  document.body.classList.toggle('is-written', !isAsShown && text !== settledCaption(shown));
  const [first] = byId('candidates').children;
  if (first instanceof HTMLElement && shown.caption !== null) first.hidden = isAsShown;
}

const said: Record<Review['decision'], string> = {
  accepted: 'Accepted',
  corrected: 'Corrected',
  rejected: 'Rejected',
};

function showReview(review: Review | null): void {
  const line = byId('review');
  line.hidden = review === null;
  document.body.dataset.decision = review?.decision ?? '';
  if (!review) return;
  const when = new Date(review.at).toLocaleString('en-GB', {
    dateStyle: 'medium',
    timeStyle: 'short',
  });
  const who = review.isMine ? 'you' : review.who;
  line.replaceChildren(
    make('strong', { textContent: said[review.decision] }),
    ` by ${who}, ${when}`,
  );
}

function factsOf({ score, width, height }: Item): Node[] {
  const facts = [];
  if (score !== null) {
    facts.push(make('span', { className: 'score', textContent: formatScore(score) }));
  }
  if (width && height) facts.push(make('span', { textContent: `${width} × ${height}` }));
  return facts;
}

/** The model's caption is the first one: shown where another stands in its place. */
function candidatesOf(item: Item, onTake: (number: number) => void): Node[] {
  const all = item.caption === null ? item.candidates : [item, ...item.candidates];
  return all.slice(0, 9).map((candidate, index) => {
    const key = make('kbd', { textContent: String(index + 1) });
    const text = make('span', { textContent: candidate.caption ?? '', dir: 'auto' });
    const button = make('button', { className: 'candidate' }, key, text);
    button.type = 'button';
    if (candidate.score !== null) {
      const textContent = formatScore(candidate.score);
      button.append(make('span', { className: 'score', textContent }));
    }
    button.addEventListener('click', () => onTake(index + 1));
    return make('li', {}, button);
  });
}

async function showPicture(item: Item, pictures: Pictures): Promise<void> {
  const url = pictures.get(item.n);
  mat.dataset.state = 'loading';
  // Until it is there, the last one must not stand beside the caption of this one.
  image.removeAttribute('src');
  image.alt = settledCaption(item);
  try {
    const source = await url;
    if (shown !== item) return;
    if (source) image.src = source;
    mat.dataset.state = source ? 'shown' : 'missing';
  } catch {
    if (shown === item) mat.dataset.state = 'missing';
  }
}
