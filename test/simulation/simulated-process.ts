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

/** Long enough for everything to be over. */
export const longestPauseMs = 3_600_000;

/** How long one question for a job waits: longer than a real worker's, who would ask for nothing. */
const idleMs = 5 * 60_000;

/** How something outside behaves. */
export interface Manners {
  /** What it says when an operation fails. */
  refusal: () => Error;
  /** Why it does not do an operation now, whatever the process's fate. */
  blocked?: (operation: string, args: unknown[]) => Error | undefined;
  /** Told of each operation when it is called. */
  told?: (operation: string, args: unknown[]) => void;
}

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

  /** What stands for something outside: every method call meets the process's fate. */
  reach<T extends object>(target: T, manners: Manners): T {
    return new Proxy(target, {
      get: (object, property) => {
        const value = Reflect.get(object, property, object);
        if (typeof value !== 'function' || property === 'close' || property === 'stopTaking') {
          return typeof value === 'function' ? value.bind(object) : value;
        }
        const operation = String(property);
        if (operation === 'list') {
          return (...args: unknown[]) => this.#list(value.bind(object), args, manners);
        }
        if (operation === 'take') {
          return () => this.#take(() => value.call(object, idleMs), manners);
        }
        return (...args: unknown[]) => {
          manners.told?.(operation, args);
          return this.#step(operation, () => value.apply(object, args), {
            refusal: manners.refusal,
            blocked: () => manners.blocked?.(operation, args),
          });
        };
      },
    });
  }

  async #step<T>(
    operation: string,
    effect: () => Promise<T>,
    { refusal, blocked }: { refusal: () => Error; blocked?: () => Error | undefined },
  ): Promise<T> {
    const { time } = this.#fate;
    const fate = this.#draw(operation);
    if (fate === 'crash before') await this.#die();
    if (fate === 'pause before') this.pause(this.#drawPauseMs());
    await time.sleep(this.#drawLatencyMs());
    await this.#awake();
    if (fate === 'refuse') throw refusal();
    const error = blocked?.();
    if (error) throw error;
    const outcome = await effect().then(
      (value) => ({ value }),
      (reason: unknown) => ({ reason }),
    );
    if (fate === 'crash after') await this.#die();
    if (fate === 'pause after') this.pause(this.#drawPauseMs());
    await time.sleep(this.#drawLatencyMs());
    await this.#awake();
    if (fate === 'lose reply') throw refusal();
    if ('reason' in outcome) throw outcome.reason;
    return outcome.value;
  }

  /** Waiting for a job takes no part in what goes wrong; taking one does. */
  async #take<T>(
    wait: () => Promise<T | undefined>,
    { refusal, blocked }: Manners,
  ): Promise<T | undefined> {
    await this.#awake();
    const error = blocked?.('take', []);
    if (error) throw error;
    const taken = await wait();
    if (taken !== undefined) return this.#step('take', async () => taken, { refusal });
    await this.#awake();
    return undefined;
  }

  async *#list(
    list: (...args: unknown[]) => AsyncIterable<unknown>,
    args: unknown[],
    { refusal }: Manners,
  ): AsyncGenerator<unknown> {
    const page: unknown[] = [];
    for await (const each of list(...args)) page.push(each);
    for (let start = 0; ; start += 5) {
      await this.#step('list', async () => {}, { refusal });
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

  /** Mostly soon; now and then an answer takes seconds. */
  #drawLatencyMs(): number {
    const { random } = this.#fate;
    return random() < 0.03 ? 10_000 * random() : 40 * random();
  }

  /** Mostly long enough for a lock to expire, at times for everything to be over. */
  #drawPauseMs(): number {
    const { random } = this.#fate;
    return random() < 0.3 ? longestPauseMs * random() : 60_000 * random();
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
