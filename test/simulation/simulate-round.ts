import { isForUser } from '@cutline/shared/errors';
import {
  type PartRow,
  type Run,
  RunStore,
  readResults,
  readRunState,
  verifyRun,
} from '@cutline/shared/run';
import { output, SimulatedCutline, sources } from './simulated-cutline.ts';
import { expectedCaption, imageBytes, modelId } from './simulated-model.ts';
import { seededRandom, VirtualTime } from './virtual-time.ts';

/** What came of a round. */
export interface Round {
  seed: number;
  /** What must not be; none where all is well. */
  violations: string[];
  /** The faults and what the operator did, in order, with their times. */
  trace: string[];
  faults: number;
  virtualMs: number;
}

const minuteMs = 60_000;
const startMs = Date.parse('2026-01-01T00:00:00Z');
const name = 'round';

/**
 * One run of a few images under faults that the seed draws: its producer is begun, and resumed
 * whenever it dies; an operator cancels, resumes, retries, begins it twice; the source loses and
 * changes images; Redis forgets, is full, is read-only; processes die and sleep at any await.
 * After an hour no new faults come; a while later everything must have ended, and add up.
 */
export async function simulateRound(seed: number): Promise<Round> {
  const random = seededRandom(seed * 7919 + 1);
  const time = new VirtualTime(startMs);
  const trace: string[] = [];
  const violations: string[] = [];
  const stamp = () => `${((time.now() - startMs) / 1000).toFixed(1).padStart(8)} s  `;
  let faults = 0;
  const note = (line: string) => {
    faults += 1;
    trace.push(stamp() + line);
  };
  const chance = (p: number) => random() < p;
  const between = (low: number, high: number) => low + random() * (high - low);
  const intensity = random() * random();
  const cutline = new SimulatedCutline({
    time,
    random,
    quietFromMs: startMs + 40 * minuteMs,
    trace: note,
    rates: {
      crash: 0.012 * intensity * random(),
      pause: 0.015 * intensity * random(),
      refuse: 0.06 * intensity * random(),
      loseReply: 0.04 * intensity * random(),
    },
  });

  // The archive.
  const images = Math.floor(between(1, 14));
  const kinds = new Map<string, 'good' | 'corrupt'>();
  const source = cutline.store(sources[0]);
  for (let i = 0; i < images; i++) {
    const key = `${String(i).padStart(3, '0')}.jpg`;
    const kind = chance(0.1) ? 'corrupt' : 'good';
    kinds.set(key, kind);
    await source.put(key, imageBytes(key, kind));
  }
  if (chance(0.2)) await source.put('notes.txt', Buffer.from('no image'));
  await cutline.store(sources[1]).put('000.jpg', imageBytes('another archive'));

  const request = (store: string): Run => ({
    format: 2,
    run: name,
    created: new Date(time.now()).toISOString(),
    source: { store, prefix: '' },
    selection: { keysFrom: null, include: [], exclude: [], limit: null, sample: null },
    model: modelId,
    options: {
      beamSize: 1,
      candidates: 1,
      lengthPenalty: 0,
      lengthMax: 5,
      lengthMin: 0,
      noRepeatNgram: 0,
      attention: false,
    },
    sidecars: [],
    batchSize: Math.floor(between(1, 4)),
    chunkBatches: Math.floor(between(1, 4)),
    cutline: 'simulation',
  });
  const runStore = new RunStore(cutline.store(output.store), output.prefix, name);

  let isOver = false;
  const workers = { encode: Math.floor(between(1, 3)), decode: Math.floor(between(1, 3)) };
  for (const stage of ['encode', 'decode'] as const) {
    for (let i = 0; i < workers[stage]; i++) cutline.keepWorker(stage, () => isOver);
  }

  // What happens to the world meanwhile. Captions that a summary counted must stay.
  const captioned = new Set<string>();
  const disturbed = new Set<string>();
  const later = async (ms: number, what: string, act: () => Promise<void> | void) => {
    await time.sleep(ms);
    if (isOver) return;
    note(what);
    await act();
  };
  const whenever = () => between(0, 30 * minuteMs) * random() * random();
  const pending: Promise<unknown>[] = [];
  const happens = (p: number, what: string, act: () => Promise<void> | void) => {
    if (chance(p)) pending.push(later(whenever(), what, act));
  };
  for (const key of kinds.keys()) {
    happens(0.05, `${key} is deleted`, async () => {
      disturbed.add(key);
      await source.delete(key);
    });
    happens(0.04, `${key} is replaced`, async () => {
      disturbed.add(key);
      if (await source.head(key)) await source.put(key, imageBytes(key, 'replaced'));
    });
  }
  happens(0.25, 'Redis is flushed', () => cutline.flushRedis());
  for (const mode of ['full', 'read-only'] as const) {
    happens(0.15, `Redis is ${mode}`, async () => {
      cutline.redis = mode;
      await time.sleep(between(1_000, 3 * minuteMs));
      cutline.redis = 'fine';
    });
  }
  happens(0.1, 'the engines are broken for a while', async () => {
    cutline.isEngineBroken = true;
    await time.sleep(between(1_000, 3 * minuteMs));
    cutline.isEngineBroken = false;
  });

  // The operator.
  const produce = async (what: Parameters<SimulatedCutline['produce']>[0]) => {
    const { process, done } = cutline.produce(what);
    const outcome = await done.catch((error: unknown) => error);
    note(`${process.name} ends: ${describe(outcome)}`);
    if (outcome instanceof Error && !isExpected(outcome)) {
      violations.push(`${process.name} ended with ${outcome.stack}`);
    }
    if (isSummary(outcome)) {
      for await (const rows of readResults(runStore, await readRunState(runStore))) {
        for (const row of rows) if (row.status === 'captioned') captioned.add(row.key);
      }
    }
    return outcome;
  };
  const retries = chance(0.3) ? 1 : 0;
  const operate = async () => {
    const begins = [produce({ begin: request(sources[0]) })];
    if (chance(0.15)) {
      note('begun twice');
      begins.push(time.sleep(random() * 50).then(() => produce({ begin: request(sources[1]) })));
    }
    happens(0.2, 'cancelled', async () => {
      const { done } = cutline.cancel(name);
      await done.catch(() => {});
    });
    happens(0.15, 'resumed beside what goes on', () => void produce({ resume: name }));
    await Promise.all(begins);
    for (let retried = 0; ; ) {
      if (!(await runStore.exists())) {
        await time.sleep(between(1_000, minuteMs));
        await produce({ begin: request(sources[0]) });
        continue;
      }
      const { summary } = await readRunState(runStore);
      const isQuiet = time.now() > startMs + 45 * minuteMs;
      if (summary && retried >= retries && isQuiet) return;
      await time.sleep(between(1_000, 2 * minuteMs));
      if (!summary) await produce({ resume: name });
      else if (retried < retries) {
        retried += 1;
        note('retried');
        await produce({
          resume: name,
          retry: ['not-found', 'corrupt', 'unavailable', 'worker-lost'],
        });
      }
    }
  };
  let operated = false;
  const operating = operate().then(
    () => {
      operated = true;
    },
    (error: unknown) => {
      violations.push(`the operator met ${describe(error)}`);
      operated = true;
    },
  );
  await time.pass(() => operated, startMs + 3 * 24 * 60 * minuteMs);
  if (!operated) violations.push('it did not end within three days');
  else {
    await operating;
    // Everybody who sleeps wakes, and does what they were about to do.
    await time.pass(() => false, time.now() + 3 * 60 * minuteMs);
    await check();
  }
  isOver = true;
  for (const error of cutline.fatal) violations.push(`a worker stopped: ${describe(error)}`);
  return { seed, violations, trace, faults, virtualMs: time.now() - startMs };

  async function check(): Promise<void> {
    const { problems } = await verifyRun(runStore);
    violations.push(...problems.map((problem) => `verify: ${problem}`));
    const state = await readRunState(runStore);
    const isOther = state.run.source.store !== sources[0];
    const rows: PartRow[] = [];
    for await (const some of readResults(runStore, state)) rows.push(...some);
    const keys = rows.map(({ key }) => key);
    if (new Set(keys).size !== keys.length) violations.push('an image has two rows');
    if (!isOther) {
      for (const key of kinds.keys()) {
        if (!keys.includes(key) && !disturbed.has(key)) violations.push(`${key} has no row`);
      }
    }
    for (const row of rows) judge(row, isOther);
    for (const key of captioned) {
      if (!rows.some((row) => row.key === key && row.status === 'captioned')) {
        violations.push(`the caption of ${key} is gone`);
      }
    }
    const left = await cutline.jobsLeft();
    if (left.length > 0) violations.push(`jobs are left in the queues: ${left.join(', ')}`);
  }

  function judge(row: PartRow, isOther: boolean): void {
    const kind = kinds.get(row.key);
    if (row.status === 'captioned') {
      const expected = expectedCaption(isOther ? 'another archive' : row.key);
      if (row.caption !== expected) violations.push(`${row.key} has the caption of another image`);
      if (kind === 'corrupt' && !isOther && !disturbed.has(row.key)) {
        violations.push(`${row.key} is corrupt and has a caption`);
      }
    } else if (row.status === 'failed') {
      const { class: failure } = row.failure;
      const isFair =
        failure === 'unavailable' ||
        failure === 'worker-lost' ||
        (failure === 'corrupt' && kind === 'corrupt') ||
        ((failure === 'not-found' || failure === 'changed') && disturbed.has(row.key));
      if (!isFair) violations.push(`${row.key} failed as ${failure}: ${row.failure.message}`);
    }
  }
}

/** A person has to do something, and the operator of the simulation does: resume, retry. */
function isExpected(error: Error): boolean {
  if (/unavailable|ECONNRESET|OOM|READONLY|503/.test(error.message)) return true;
  return isForUser(error);
}

function isSummary(outcome: unknown): boolean {
  return typeof outcome === 'object' && outcome !== null && 'captioned' in outcome;
}

function describe(outcome: unknown): string {
  if (outcome instanceof Error) return outcome.message;
  return isSummary(outcome) ? 'finished' : String(outcome);
}
