/** The images to be judged, of which only those around the one on the screen are in the page. */
import { post } from '../../loopback/client/api.ts';
import type { Item, Query, Review, Selected } from './messages.ts';

/** Images asked for at a time. */
const pageImages = 20;
/** So many before the end of what is there, the next ones are asked for. */
const aheadImages = 6;
const keptPagesMax = 12;

export class ImageList {
  images = 0;
  first = 0;
  #list = 0;
  /** By number; the one that was asked for last at the end. */
  #pages = new Map<number, Promise<Item[]>>();

  async select(query: Query): Promise<void> {
    const { list, images, first } = await post<Selected>('/api/select', query);
    this.#list = list;
    this.#pages = new Map();
    this.images = images;
    this.first = first;
  }

  /** @returns undefined beyond the ends. */
  async at(position: number): Promise<Item | undefined> {
    if (position < 0 || position >= this.images) return undefined;
    const items = await this.#page(Math.floor(position / pageImages));
    const ahead = Math.floor((position + aheadImages) / pageImages);
    if (ahead * pageImages < this.images) this.#page(ahead).catch(() => {}); // asked for again
    return items[position % pageImages];
  }

  /** What counts of an image now, as far as it is in the page. */
  async setReview(n: number, review: Review | null): Promise<void> {
    for (const page of this.#pages.values()) {
      const item = (await page.catch(() => [])).find((each) => each.n === n);
      if (item) item.review = review;
    }
  }

  #page(number: number): Promise<Item[]> {
    const items = this.#pages.get(number) ?? this.#fetch(number);
    this.#pages.delete(number);
    this.#pages.set(number, items);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > keptPagesMax && oldest !== undefined) this.#pages.delete(oldest);
    return items;
  }

  async #fetch(number: number): Promise<Item[]> {
    const request = { list: this.#list, from: number * pageImages, count: pageImages };
    try {
      return await post<Item[]>('/api/items', request);
    } catch (error) {
      this.#pages.delete(number); // so that it is asked for again
      throw error;
    }
  }
}
