import type { Redis } from 'ioredis';
import { z } from 'zod';
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
 * The board on Redis. Every operation is one command, and one that looks before it changes is one
 * script, so that processes never see each other's halves. The keys of a run share a hash tag, and
 * scripts name all that they touch, so that it works on a Redis Cluster as well. Times run by
 * Redis's own clock: those of the machines that ask need not agree.
 *
 * Redis rejects when it is out of memory, as with any command that could need some.
 */
export class RedisBoard implements RunBoard {
  readonly #redis: Redis;

  readonly #onForeign: (entry: string) => void;

  /** @param options.onForeign is told of each entry among the runs that is none, every time */
  constructor(
    redis: Redis,
    { onForeign = () => {} }: { onForeign?: (entry: string) => void } = {},
  ) {
    this.#redis = redis;
    this.#onForeign = onForeign;
  }

  async lock(run: string, owner: string, ttlMs: number): Promise<string | undefined> {
    const other = await this.#redis.eval(lockScript, 1, boardKeys(run).producer, owner, ttlMs);
    return (other as string | null) ?? undefined;
  }

  async seize(run: string, owner: string, ttlMs: number): Promise<string | undefined> {
    const before = await this.#redis.set(boardKeys(run).producer, owner, 'PX', ttlMs, 'GET');
    return before ?? undefined;
  }

  async release(run: string, owner: string): Promise<void> {
    await this.#redis.eval(releaseScript, 1, boardKeys(run).producer, owner);
  }

  async owner(run: string): Promise<string | undefined> {
    return (await this.#redis.get(boardKeys(run).producer)) ?? undefined;
  }

  async floor(run: string): Promise<number | undefined> {
    const floor = await this.#redis.get(boardKeys(run).floor);
    return floor === null ? undefined : Number(floor);
  }

  async raiseFloor(run: string, floor: number): Promise<void> {
    await this.#redis.eval(raiseScript, 1, boardKeys(run).floor, floor, boardTtlMs);
  }

  async count(run: string, step: string, counts: Counts): Promise<boolean> {
    const { steps, progress } = boardKeys(run);
    const { field, bit } = placeOf(step);
    const args = [field, 2 ** bit, boardTtlMs, ...pairsOf(counts)];
    return (await this.#redis.eval(countScript, 2, steps, progress, ...args)) === 1;
  }

  async setProgress(run: string, counts: Counts): Promise<void> {
    await this.#redis.eval(setScript, 1, boardKeys(run).progress, boardTtlMs, ...pairsOf(counts));
  }

  async endProgress(run: string, counts: Counts): Promise<void> {
    const { steps, progress } = boardKeys(run);
    await this.#redis.eval(setScript, 2, progress, steps, boardTtlMs, ...pairsOf(counts));
  }

  async resetProgress(run: string): Promise<void> {
    const { steps, progress } = boardKeys(run);
    await this.#redis.unlink(steps, progress);
  }

  async idleMs(run: string): Promise<number | undefined> {
    const idle = await this.#redis.eval(idleScript, 1, boardKeys(run).progress);
    return idle === null ? undefined : Number(idle);
  }

  async enlist(run: EnlistedRun): Promise<void> {
    await this.#redis.eval(enlistScript, 1, enlistedKey, nameOf(run), runsEnlistedMax);
  }

  async delist(run: EnlistedRun): Promise<void> {
    await this.#redis.zrem(enlistedKey, nameOf(run));
  }

  async enlisted(): Promise<EnlistedRun[]> {
    const names = await this.#redis.zrevrange(enlistedKey, 0, runsEnlistedMax - 1);
    return names.flatMap((name) => {
      const run = parseEnlisted(name);
      if (!run) this.#onForeign(name);
      return run ? [run] : [];
    });
  }

  async progress(run: string): Promise<RunProgress | undefined> {
    const counters = await this.#redis.hgetall(boardKeys(run).progress);
    return progressOfCounters(
      Object.entries(counters).map(([counter, value]) => [counter, Number(value)]),
    );
  }

  async beginTrial(name: string): Promise<number> {
    const begun = await this.#redis.eval(beginScript, 1, trialKey(name), trialTtlMs);
    return Number(begun) - 1;
  }

  async endTrial(name: string): Promise<void> {
    await this.#redis.unlink(trialKey(name));
  }
}

/** The keys of a run. */
export function boardKeys(run: string) {
  const prefix = `cutline:{run:${run}}`;
  return {
    /** Whoever drives the run leaves its name here, for as long as it lives. */
    producer: `${prefix}:producer`,
    floor: `${prefix}:floor`,
    /** Hash of counters. */
    progress: `${prefix}:progress`,
    /** Hash of bit masks, see `placeOf`. */
    steps: `${prefix}:steps`,
  };
}

/** Sorted set of runs, by when they were entered. */
const enlistedKey = 'cutline:runs';
const enlistedSchema = z.strictObject({ run: z.string(), model: z.string() });

/** undefined for what another version, or somebody else, put there. */
function parseEnlisted(name: string): EnlistedRun | undefined {
  try {
    return enlistedSchema.safeParse(JSON.parse(name)).data;
  } catch {
    return undefined;
  }
}

function nameOf({ run, model }: EnlistedRun): string {
  return JSON.stringify({ run, model });
}

/** In the hash of counters: when the last step was counted, in ms of Redis's clock. */
const changedField = 'changedMs';

function pairsOf(counts: Counts): (string | number)[] {
  return Object.entries(counts).flatMap(([counter, n]) => (n === undefined ? [] : [counter, n]));
}

const trialKey = (name: string) => `cutline:trials:${name}`;

/** Lua computes in doubles, which hold integers of 53 bits exactly. */
const maskBits = 50;

/**
 * Where a step is noted: a field has a bit each for fifty batches in a row, of one kind of step and
 * one attempt. As members of a set, steps would take 1.5 bytes an image (in batches of 64) for as
 * long as progress is kept; as bits they take 0.016.
 */
function placeOf(step: string): { field: string; bit: number } {
  const match = /^(\w+):(\d+)\.(\w+)$/.exec(step);
  if (!match) return { field: step, bit: 0 };
  const [, kind, batch, attempt] = match;
  const field = `${kind}.${attempt}:${Math.floor(Number(batch) / maskBits)}`;
  return { field, bit: Number(batch) % maskBits };
}

/** KEYS: producer. ARGV: owner, ttl in ms. Returns whose it is where another's. */
const lockScript = `
  local owner = redis.call('GET', KEYS[1])
  if owner and owner ~= ARGV[1] then return owner end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return false
`;

/** KEYS: producer. ARGV: owner. */
const releaseScript = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('UNLINK', KEYS[1]) end
`;

/** KEYS: floor. ARGV: the least it should be, ttl in ms. */
const raiseScript = `
  local floor = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[1]))
  redis.call('SET', KEYS[1], floor, 'PX', ARGV[2])
`;

/** KEYS: steps, progress. ARGV: field and bit of the step, ttl in ms, then counters and increments. */
const countScript = `
  local mask = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
  if math.floor(mask / tonumber(ARGV[2])) % 2 == 1 then return 0 end
  redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
  for i = 4, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
  if #ARGV >= 4 then
    local now = redis.call('TIME')
    redis.call('HSET', KEYS[2], '${changedField}', now[1] * 1000 + math.floor(now[2] / 1000))
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return 1
`;

/** KEYS: progress. Returns the ms since the last step was counted. */
const idleScript = `
  local changed = redis.call('HGET', KEYS[1], '${changedField}')
  if not changed then return false end
  local now = redis.call('TIME')
  return math.max(0, now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(changed))
`;

/** KEYS: runs. ARGV: the run, how many are kept. */
const enlistScript = `
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[1], now[1] * 1000000 + now[2], ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[2]))
`;

/** KEYS: progress, perhaps the steps to forget. ARGV: ttl in ms, then counters and values. */
const setScript = `
  if KEYS[2] then redis.call('UNLINK', KEYS[2]) end
  for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
`;

/** KEYS: trials. ARGV: ttl in ms. */
const beginScript = `
  local begun = redis.call('INCR', KEYS[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return begun
`;
