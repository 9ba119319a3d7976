/**
 * Decisions on their way to the server, one after the other, so that a later one knows of those
 * before it. The reviewer does not wait for them; where the server or its store does not answer,
 * each is sent again until it does.
 */
import { ApiError, post } from '../../loopback/client/api.ts';
import type { Decide, Decided, Undo } from './messages.ts';

const pauseMs = 1_500;

export class Outbox {
  readonly #onChange: (waiting: number, trouble: string | undefined) => void;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(onChange: (waiting: number, trouble: string | undefined) => void) {
    this.#onChange = onChange;
    addEventListener('beforeunload', (event) => {
      if (this.#waiting > 0) event.preventDefault();
    });
  }

  decide(decision: Decide): Promise<Decided> {
    return this.#send('/api/decide', decision);
  }

  undo(undo: Undo): Promise<Decided> {
    return this.#send('/api/undo', undo);
  }

  /** @throws ApiError where the server will never take it. */
  #send(path: string, body: object): Promise<Decided> {
    this.#waiting += 1;
    const sent = this.#last.then(() => this.#insist(path, body));
    this.#last = sent.catch(() => {});
    this.#onChange(this.#waiting, undefined);
    return sent.finally(() => {
      this.#waiting -= 1;
      this.#onChange(this.#waiting, undefined);
    });
  }

  async #insist(path: string, body: object): Promise<Decided> {
    for (;;) {
      try {
        return await post<Decided>(path, body);
      } catch (error) {
        const mayPass = error instanceof ApiError && (error.status === 0 || error.status >= 500);
        if (!mayPass) throw error;
        this.#onChange(this.#waiting, error.message);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }
}
