import type { Redis } from 'ioredis';
import { z } from 'zod';

/**
 * Workers, as they tell of themselves every few seconds, for people who watch. One hash in Redis,
 * a field a worker; whoever reads it strikes out those that have not been heard of for a day.
 */
const workerSignSchema = z.object({
  /** `encoder-worker`, … */
  program: z.string(),
  host: z.string(),
  pid: z.int(),
  /** Of Cutline. */
  version: z.string(),
  /** Id of its model. */
  model: z.string(),
  /** What computes: `onnx`, `tensorflow`, … */
  backend: z.string(),
  /** ISO 8601, UTC: since when it takes jobs. */
  started: z.string(),
  /** Images that left it so far, whatever their outcome. */
  images: z.int().nonnegative(),
  /** Batches in hand. */
  inHand: z.int().nonnegative(),
});

export type WorkerSign = z.infer<typeof workerSignSchema>;

export interface RegisteredWorker extends WorkerSign {
  id: string;
  /** Milliseconds since it was heard of, by Redis's clock. */
  silentMs: number;
}

/** How often a worker tells. */
export const signMs = 10_000;

const key = 'cutline:workers';
const forgottenMs = 24 * 3_600_000;

export class WorkerRegister {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async tell(id: string, sign: WorkerSign): Promise<void> {
    await this.#redis.eval(tellScript, 1, key, id, JSON.stringify(sign));
  }

  /** It has ended in good order. */
  async strikeOut(id: string): Promise<void> {
    await this.#redis.hdel(key, id);
  }

  /**
   * In the order of their programs and hosts. Signs that are not understood, of other versions or
   * of whoever else writes there, are left out.
   */
  async read(): Promise<RegisteredWorker[]> {
    const found = await this.#redis.eval(readScript, 1, key, forgottenMs);
    const workers = (found as [string, string, number][]).flatMap(([id, text, silentMs]) => {
      const sign = workerSignSchema.safeParse(parseJson(text));
      return sign.success ? [{ ...sign.data, id, silentMs }] : [];
    });
    const name = ({ program, host, id }: RegisteredWorker) => `${program} ${host} ${id}`;
    return workers.toSorted((a, b) => (name(a) < name(b) ? -1 : 1));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** KEYS: workers. ARGV: id, sign. Kept is `<ms of Redis's clock> <sign>`. */
const tellScript = `
  local now = redis.call('TIME')
  local ms = now[1] * 1000 + math.floor(now[2] / 1000)
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ms) .. ' ' .. ARGV[2])
`;

/** KEYS: workers. ARGV: ms after which one is forgotten. Returns of each: id, sign, ms of silence. */
const readScript = `
  local now = redis.call('TIME')
  local ms = now[1] * 1000 + math.floor(now[2] / 1000)
  local found = {}
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    local told, sign = string.match(fields[i + 1], '^(%d+) (.*)$')
    local silent = math.max(0, ms - (tonumber(told) or 0))
    if silent > tonumber(ARGV[1]) then
      redis.pcall('HDEL', KEYS[1], fields[i]) -- which a replica does not take
    else
      found[#found + 1] = { fields[i], sign, silent }
    end
  end
  return found
`;
