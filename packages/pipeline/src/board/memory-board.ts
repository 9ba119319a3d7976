import { ExpiringMap } from '../expiring-map.ts';
import type { World } from '../world.ts';
import {
  boardTtlMs,
  type Counts,
  type EnlistedRun,
  type RunBoard,
  runsEnlistedMax,
  trialTtlMs,
} from './run-board.ts';
import { progressOfCounters, type RunProgress } from './run-progress.ts';

/**
 * The board in memory, for tests and for the simulator: processes that share one share what it
 * holds, as they would share a Redis. It does at once what it is asked; who wants outages and
 * delays puts them around it.
 */
export class MemoryBoard implements RunBoard {
  readonly #producers: ExpiringMap<string>;
  readonly #floors: ExpiringMap<number>;
  readonly #counters: ExpiringMap<Map<string, number>>;
  readonly #steps: ExpiringMap<Set<string>>;
  readonly #trials: ExpiringMap<number>;
  readonly #changedMs: ExpiringMap<number>;
  readonly #world: World;
  #enlisted: EnlistedRun[] = [];

  constructor({ world }: { world: World }) {
    this.#world = world;
    this.#changedMs = new ExpiringMap(world);
    this.#producers = new ExpiringMap(world);
    this.#floors = new ExpiringMap(world);
    this.#counters = new ExpiringMap(world);
    this.#steps = new ExpiringMap(world);
    this.#trials = new ExpiringMap(world);
  }

  /** Loses everything, as a Redis does that dies. */
  flush(): void {
    this.#producers.clear();
    this.#floors.clear();
    this.#counters.clear();
    this.#steps.clear();
    this.#trials.clear();
    this.#changedMs.clear();
    this.#enlisted = [];
  }

  async lock(run: string, owner: string, ttlMs: number): Promise<string | undefined> {
    const other = this.#producers.get(run);
    if (other !== undefined && other !== owner) return other;
    this.#producers.set(run, owner, ttlMs);
    return undefined;
  }

  async seize(run: string, owner: string, ttlMs: number): Promise<string | undefined> {
    const before = this.#producers.get(run);
    this.#producers.set(run, owner, ttlMs);
    return before;
  }

  async release(run: string, owner: string): Promise<void> {
    if (this.#producers.get(run) === owner) this.#producers.delete(run);
  }

  async owner(run: string): Promise<string | undefined> {
    return this.#producers.get(run);
  }

  async floor(run: string): Promise<number | undefined> {
    return this.#floors.get(run);
  }

  async raiseFloor(run: string, floor: number): Promise<void> {
    this.#floors.set(run, Math.max(this.#floors.get(run) ?? 0, floor), boardTtlMs);
  }

  async count(run: string, step: string, counts: Counts): Promise<boolean> {
    const steps = this.#steps.get(run) ?? new Set();
    if (steps.has(step)) return false;
    this.#steps.set(run, steps.add(step), boardTtlMs);
    this.#write(run, counts, (before, n) => before + n);
    if (Object.values(counts).some((n) => n !== undefined)) {
      this.#changedMs.set(run, this.#world.now(), boardTtlMs);
    }
    return true;
  }

  async setProgress(run: string, counts: Counts): Promise<void> {
    this.#write(run, counts, (_before, n) => n);
  }

  async endProgress(run: string, counts: Counts): Promise<void> {
    this.#steps.delete(run);
    await this.setProgress(run, counts);
  }

  async resetProgress(run: string): Promise<void> {
    this.#steps.delete(run);
    this.#counters.delete(run);
    this.#changedMs.delete(run);
  }

  async idleMs(run: string): Promise<number | undefined> {
    const changedMs = this.#changedMs.get(run);
    return changedMs === undefined ? undefined : this.#world.now() - changedMs;
  }

  async enlist(run: EnlistedRun): Promise<void> {
    await this.delist(run);
    this.#enlisted = [run, ...this.#enlisted].slice(0, runsEnlistedMax);
  }

  async delist({ run, model }: EnlistedRun): Promise<void> {
    this.#enlisted = this.#enlisted.filter((each) => each.run !== run || each.model !== model);
  }

  async enlisted(): Promise<EnlistedRun[]> {
    return [...this.#enlisted];
  }

  async progress(run: string): Promise<RunProgress | undefined> {
    return progressOfCounters([...(this.#counters.get(run) ?? [])]);
  }

  async beginTrial(name: string): Promise<number> {
    const begun = this.#trials.get(name) ?? 0;
    this.#trials.set(name, begun + 1, trialTtlMs);
    return begun;
  }

  async endTrial(name: string): Promise<void> {
    this.#trials.delete(name);
  }

  #write(run: string, counts: Counts, change: (before: number, n: number) => number): void {
    const counters = this.#counters.get(run) ?? new Map<string, number>();
    for (const [counter, n] of Object.entries(counts)) {
      if (n !== undefined) counters.set(counter, change(counters.get(counter) ?? 0, n));
    }
    if (counters.size > 0) this.#counters.set(run, counters, boardTtlMs);
  }
}
