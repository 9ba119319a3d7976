import type { World } from '@cutline/pipeline';
import type { VirtualTime } from './virtual-time.ts';

/** What may go wrong whenever a process talks to something outside of it: chances of each. */
export interface FaultRates {
  /** The process dies: before the effect, or after it. */
  crash: number;
  /** It is paused, for longer than its locks last, and wakes. */
  pause: number;
  /** The other side fails before it does anything. */
  refuse: number;
  /** The other side does it, and its answer is lost. */
  loseReply: number;
}

export interface SharedFate {
  time: VirtualTime;
  random: () => number;
  rates: FaultRates;
  /** No more faults from then on, so that all that is to end can end. */
  quietFromMs: number;
  trace: (line: string) => void;
}

/** Why an operation on something outside fails, as that thing says it. */
export type Refusal = (operation: string) => Error;

/**
 * A process of the simulation. The code in it is the real one; whenever it awaits something outside
 * of it, its fate is drawn: the process may die there, or sleep for an hour, or not hear the answer.
 * A process that is dead never hears anything again: what it awaits does not settle.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly died: Promise<void>;
  readonly world: World;
  readonly #fate: SharedFate;
  #isDead = false;
  #pausedUntilMs = 0;
  #tellDead: () => void = () => {};
  #ids = 0;

  constructor(name: string, fate: SharedFate) {
    this.name = name;
    this.#fate = fate;
    this.died = new Promise((resolve) => {
      this.#tellDead = resolve;
    });
    const { time, random } = fate;
    this.world = {
      now: time.now,
      random,
      newId: () => `${name}-${++this.#ids}`,
      sleep: async (ms, signal) => {
        // Whether it is aborted or not, a process that sleeps or is dead does not learn of it.
        const outcome = await time.sleep(ms, signal).then(
          () => ({ ok: true as const }),
          (reason: unknown) => ({ ok: false as const, reason }),
        );
        await this.#awake();
        if (!outcome.ok) throw outcome.reason;
      },
    };
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** By the operator, or when its main function ends. */
  kill(): void {
    this.#isDead = true;
    this.#tellDead();
  }

  pause(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#fate.time.now() + ms);
  }

  /**
   * What stands for something outside: every method call meets the process's fate.
   * @param steady operations that only wait, on which no reply is lost
   */
  reach<T extends object>(
    target: T,
    refusal: Refusal,
    blocked?: (operation: string) => Error | undefined,
  ): T {
    return new Proxy(target, {
      get: (object, property) => {
        const value = Reflect.get(object, property, object);
        if (typeof value !== 'function' || property === 'close' || property === 'stopTaking') {
          return typeof value === 'function' ? value.bind(object) : value;
        }
        const operation = String(property);
        if (operation === 'list') {
          return (...args: unknown[]) => this.#list(value.bind(object), args, refusal);
        }
        return (...args: unknown[]) =>
          this.#step(operation, () => value.apply(object, args), refusal, blocked);
      },
    });
  }

  async #step<T>(
    operation: string,
    effect: () => Promise<T>,
    refusal: Refusal,
    blocked: ((operation: string) => Error | undefined) | undefined,
  ): Promise<T> {
    const { time, random } = this.#fate;
    const fate = this.#draw(operation);
    if (fate === 'crash before') await this.#die();
    if (fate === 'pause before') this.pause(this.#drawPauseMs());
    await time.sleep(random() * 20);
    await this.#awake();
    if (fate === 'refuse') throw refusal(operation);
    const error = blocked?.(operation);
    if (error) throw error;
    const outcome = await effect().then(
      (value) => ({ value }),
      (reason: unknown) => ({ reason }),
    );
    if (fate === 'crash after') await this.#die();
    if (fate === 'pause after') this.pause(this.#drawPauseMs());
    await time.sleep(random() * 20);
    await this.#awake();
    if (fate === 'lose reply') throw refusal(operation);
    if ('reason' in outcome) throw outcome.reason;
    return outcome.value;
  }

  async *#list(
    list: (...args: unknown[]) => AsyncIterable<unknown>,
    args: unknown[],
    refusal: Refusal,
  ): AsyncGenerator<unknown> {
    const page: unknown[] = [];
    for await (const each of list(...args)) page.push(each);
    for (let start = 0; ; start += 5) {
      await this.#step('list', async () => {}, refusal, undefined);
      yield* page.slice(start, start + 5);
      if (start + 5 >= page.length) return;
    }
  }

  #draw(operation: string) {
    const { time, random, rates, quietFromMs, trace } = this.#fate;
    if (time.now() >= quietFromMs) return 'fine';
    let chance = random();
    for (const [name, rate] of Object.entries(rates)) {
      if (chance >= rate) {
        chance -= rate;
        continue;
      }
      const when = chance < rate / 2 ? 'before' : 'after';
      const fate =
        name === 'crash' || name === 'pause'
          ? `${name} ${when}`
          : name === 'refuse'
            ? 'refuse'
            : 'lose reply';
      trace(`${this.name}: ${fate} (${operation})`);
      return fate;
    }
    return 'fine';
  }

  /** Mostly long enough for a lock to expire, at times for everything to be over. */
  #drawPauseMs(): number {
    const { random } = this.#fate;
    return random() < 0.3 ? 3_600_000 * random() : 60_000 * random();
  }

  async #die(): Promise<never> {
    this.kill();
    return new Promise(() => {});
  }

  async #awake(): Promise<void> {
    const { time } = this.#fate;
    while (!this.#isDead && time.now() < this.#pausedUntilMs) {
      await time.sleep(this.#pausedUntilMs - time.now());
    }
    if (this.#isDead) await new Promise(() => {});
  }
}
