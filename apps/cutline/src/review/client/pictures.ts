/** Pictures, fetched with the token and kept as long as they may be shown again soon. */
import { ApiError, getPicture } from '../../loopback/client/api.ts';

const keptMax = 16;

export class Pictures {
  readonly #side: number;
  /** By number of the image; the one that was asked for last at the end. */
  readonly #urls = new Map<number, Promise<string | undefined>>();

  constructor() {
    const pixels = Math.max(innerWidth, innerHeight) * Math.min(devicePixelRatio, 2);
    this.#side = [800, 1600].find((side) => side >= pixels * 0.8) ?? 2400;
  }

  /** @returns the address of a blob; undefined where there is no picture to show. */
  get(n: number): Promise<string | undefined> {
    const url = this.#urls.get(n) ?? this.#fetch(n);
    this.#urls.delete(n);
    this.#urls.set(n, url);
    if (this.#urls.size > keptMax) this.#drop();
    return url;
  }

  async #fetch(n: number): Promise<string | undefined> {
    try {
      return URL.createObjectURL(await getPicture(n, this.#side));
    } catch (error) {
      this.#urls.delete(n);
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  #drop(): void {
    const [oldest] = this.#urls;
    if (!oldest) return;
    this.#urls.delete(oldest[0]);
    oldest[1].then((url) => url && URL.revokeObjectURL(url)).catch(() => {});
  }
}
