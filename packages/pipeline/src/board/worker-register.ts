import type { Redis } from 'ioredis';
import { z } from 'zod';

/**
 * Workers, as they tell of themselves every few seconds, for people who watch. One hash in Redis,
 * a field a worker; whoever reads it strikes out those that have not been heard of for a day.
 */
export const workerSignSchema = z.object({
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

  /** In the order of their programs and hosts. Signs of other versions that are not understood are left out. */
  async read(): Promise<RegisteredWorker[]> {
    const found = (await this.#redis.eval(readScript, 1, key, forgottenMs)) as [string, number][];
    const workers = found.flatMap(([text, silentMs]): RegisteredWorker[] => {
      const [id = '', ...json] = text.split(' ');
      const sign = workerSignSchema.safeParse(JSON.parse(json.join(' ')));
      return sign.success ? [{ ...sign.data, id, silentMs }] : [];
    });
    const name = ({ program, host, id }: RegisteredWorker) => `${program} ${host} ${id}`;
    return workers.toSorted((a, b) => (name(a) < name(b) ? -1 : 1));
  }
}

/** KEYS: workers. ARGV: id, sign. Kept is `<ms of Redis's clock> <sign>`. */
const tellScript = `
  local now = redis.call('TIME')
  local ms = now[1] * 1000 + math.floor(now[2] / 1000)
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ms) .. ' ' .. ARGV[2])
`;

/** KEYS: workers. ARGV: ms after which one is forgotten. Returns `<id> <sign>` and ms of silence. */
const readScript = `
  local now = redis.call('TIME')
  local ms = now[1] * 1000 + math.floor(now[2] / 1000)
  local found = {}
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    local told, sign = string.match(fields[i + 1], '^(%d+) (.*)$')
    local silent = math.max(0, ms - tonumber(told))
    if silent > tonumber(ARGV[1]) then
      redis.call('HDEL', KEYS[1], fields[i])
    else
      found[#found + 1] = { fields[i] .. ' ' .. sign, silent }
    end
  end
  return found
`;
