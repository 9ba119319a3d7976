import { isForUser } from '@cutline/shared/errors';
import { loadParquet } from '@cutline/shared/parquet';
import { type Run, RunStore, readRunState, type Summary, sidecarKinds } from '@cutline/shared/run';
import { Draw } from './draw.ts';
import { judgeDecoded, judgeRun, readRows } from './judge-run.ts';
import { fillArchive } from './simulated-archive.ts';
import {
  watchedRun as name,
  output,
  SimulatedCutline,
  sources,
  type WorkerKind,
} from './simulated-cutline.ts';
import { modelId } from './simulated-model.ts';
import { SimulatedPeople } from './simulated-people.ts';
import { longestPauseMs, type SharedFate } from './simulated-process.ts';
import { drawTrouble, type Happens, minuteMs, troubledMs } from './trouble.ts';
import { VirtualTime } from './virtual-time.ts';

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

const startMs = Date.parse('2026-01-01T00:00:00Z');

/** More than any pause, and than all pauses between tries of one image together. */
const endsWithinMs = 12 * 60 * minuteMs;

/** What an operator tries again: all that may be no fault of the image. */
const retried = ['not-found', 'corrupt', 'unavailable', 'worker-lost'] as const;

/**
 * One run of a few images under faults that the seed draws: its producer is begun, and resumed
 * whenever it dies; an operator cancels, resumes, retries, begins it twice; the source loses and
 * changes images; Redis forgets, is full, is read-only; processes die and sleep at any await.
 * After a while no new faults come; a while later everything must have ended, and add up. Then the
 * images may be deleted, and whoever still sleeps wakes, which must not change anything. A run that
 * kept its features is decoded again from them, without its images and under faults as before.
 */
export async function simulateRound(seed: number): Promise<Round> {
  await loadParquet(); // which takes real time, of which the simulated knows nothing
  const draw = new Draw(seed * 7919 + 1);
  const time = new VirtualTime(startMs);
  const trace: string[] = [];
  const violations: string[] = [];
  const stamp = () => `${((time.now() - startMs) / 1000).toFixed(1).padStart(8)} s  `;
  let faults = 0;
  const note = (line: string) => {
    faults += 1;
    trace.push(stamp() + line);
  };
  const intensity = draw.random() * draw.random();
  const rates = {
    crash: 0.04 * intensity * draw.random(),
    pause: 0.06 * intensity * draw.random(),
    refuse: 0.15 * intensity * draw.random(),
    loseReply: 0.1 * intensity * draw.random(),
  };
  const quietFromMs = startMs + troubledMs;
  const fate: SharedFate = { time, random: draw.random, quietFromMs, trace: note, rates };
  const cutline = new SimulatedCutline(fate, {
    doneMax: draw.chance(0.5) ? draw.count(0, 3) : 100,
  });
  const archive = await fillArchive(cutline, draw);
  const people = new SimulatedPeople(cutline);
  await people.begin(archive.kinds.keys(), draw);
  cutline.isFickle = draw.chance(0.2);
  const request = drawRequest(draw, archive.keysFrom);
  const other: Run = {
    ...request,
    source: { store: sources[1], prefix: '' },
    selection: { ...request.selection, keysFrom: null },
  };
  const runStore = new RunStore(cutline.store(output.store), output.prefix, name);

  let isOver = false;
  for (const [kind, least, most] of drawCrew(draw)) {
    for (let n = draw.count(least, most); n > 0; n--) cutline.keepWorker(kind, () => isOver);
  }
  const happens: Happens = (p, what, act) => {
    if (!draw.chance(p)) return;
    const afterMs = troubledMs * draw.random() * draw.random() * draw.random();
    void time.sleep(afterMs).then(() => {
      if (isOver) return;
      note(what);
      return act();
    });
  };
  drawTrouble(happens, { archive, cutline, draw, people, time });

  /** Captions that a summary counted: they must stay. */
  const captioned = new Set<string>();
  const produce = async (what: Parameters<SimulatedCutline['produce']>[0]) => {
    const { process, done, hasRun } = cutline.produce(what);
    const outcome = await done.catch((error: unknown) => error);
    note(`${process.name} ends: ${describe(outcome)}`);
    if (outcome instanceof Error && !isExpected(outcome, hasRun())) {
      violations.push(`${process.name} ended with ${outcome.stack}`);
    }
    if (isSummary(outcome)) {
      for (const row of await readRows(runStore)) {
        if (row.status === 'captioned') captioned.add(row.key);
      }
    }
    return outcome;
  };

  const retries = draw.chance(0.3) ? 1 : 0;
  const operate = async () => {
    const begins = [produce({ begin: request })];
    if (draw.chance(0.15)) {
      note('begun twice');
      begins.push(time.sleep(draw.random() * 50).then(() => produce({ begin: other })));
    }
    happens(0.2, 'cancelled', () => cutline.cancel(name).done.catch(() => {}));
    happens(0.15, 'resumed beside what goes on', () => produce({ resume: name }));
    happens(0.1, 'retried beside what goes on', () => produce({ resume: name, retry: retried }));
    happens(0.2, 'compacted beside what goes on', () => produce({ resume: name, compact: true }));
    await Promise.all(begins);
    for (let done = 0; ; ) {
      if (!(await runStore.exists())) {
        await time.sleep(draw.between(1_000, minuteMs));
        await produce({ begin: request });
        continue;
      }
      const { summary } = await readRunState(runStore);
      const isQuiet = time.now() > startMs + troubledMs + minuteMs;
      if (summary && done >= retries && isQuiet) return;
      await time.sleep(draw.between(1_000, 2 * minuteMs));
      if (!summary) await produce({ resume: name });
      else if (done < retries) {
        done += 1;
        note('retried');
        await produce({ resume: name, retry: retried });
      }
    }
  };
  if (await ends(operate())) {
    violations.push(...(await judgeRun(runStore, archive, people)));
    if (violations.length === 0) await wakeAll();
    if (violations.length === 0 && request.keepFeatures) await decodeAgain();
    const { run } = await readRunState(runStore);
    if (violations.length === 0) violations.push(...(await people.judgeWithdrawal(run, runStore)));
  }
  isOver = true;
  violations.push(...cutline.late.violations);
  const { writtenOver, deletedTooSoon } = cutline.store(output.store);
  for (const key of writtenOver) violations.push(`${key} was replaced`);
  for (const key of deletedTooSoon) violations.push(`${key} was deleted, and nothing has its rows`);
  for (const error of cutline.fatal) violations.push(`a worker stopped: ${describe(error)}`);
  return { seed, violations, trace, faults, virtualMs: time.now() - startMs };

  /** Lets time pass until it is done. @returns false where it is not, or failed. */
  async function ends(work: Promise<unknown>): Promise<boolean> {
    let outcome: { error?: unknown } | undefined;
    void work.then(
      () => {
        outcome = {};
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    await time.pass(() => outcome !== undefined, time.now() + endsWithinMs);
    if (!outcome) violations.push('it did not end within twelve hours');
    else if ('error' in outcome) violations.push(`the operator met ${describe(outcome.error)}`);
    return outcome !== undefined && !('error' in outcome);
  }

  /** Its images are gone, and the faults are back for a while. */
  async function decodeAgain(): Promise<void> {
    note('decoded again, without its images');
    for (const key of archive.kinds.keys()) await cutline.store(sources[0]).delete(key);
    fate.quietFromMs = time.now() + troubledMs / 2;
    const { keepFeatures: _, ...rest } = request;
    const decodes = { run: name, location: null };
    const again: Run = { ...rest, run: 'again', sidecars: [], decodes };
    const decoded = new RunStore(cutline.store(output.store), output.prefix, again.run);
    happens(0.2, 'the decoded run is cancelled', () =>
      cutline.cancel(again.run).done.catch(() => {}),
    );
    const operateAgain = async () => {
      for (;;) {
        if (!(await decoded.exists())) await produce({ begin: again });
        else if ((await readRunState(decoded)).summary) return;
        else await produce({ resume: again.run });
        await time.sleep(draw.between(1_000, minuteMs));
      }
    };
    if (!(await ends(operateAgain()))) return;
    violations.push(...(await judgeDecoded(decoded, await readRows(runStore), archive)));
  }

  async function snapshot() {
    const rows = JSON.stringify(await readRows(runStore));
    return { rows, claims: (await runStore.readClaims()).length };
  }

  /** Whoever sleeps wakes, and does what they were about to do, about a run that is finished. */
  async function wakeAll(): Promise<void> {
    const before = await snapshot();
    if (draw.chance(0.5)) {
      note('all images are deleted');
      for (const key of archive.kinds.keys()) {
        archive.disturbed.add(key);
        await cutline.store(sources[0]).delete(key);
      }
    }
    await time.pass(() => false, time.now() + longestPauseMs + 5 * minuteMs);
    const after = await snapshot();
    // Somebody who was told to retry, and slept, may do so now.
    if (after.claims === before.claims && after.rows !== before.rows) {
      violations.push('rows are others than they were when the run was finished');
    }
    const left = await cutline.jobsLeft();
    if (left.length > 0) violations.push(`jobs are left in the queues: ${left.join(', ')}`);
    const again = draw.chance(0.3) ? { retry: retried } : {};
    const { summary } = await readRunState(runStore);
    await ends(
      produce({ resume: name, ...again }).then((outcome) => {
        if (isSummary(outcome) && outcome.captioned >= (summary?.captioned ?? 0)) return;
        violations.push(`resumed once more, it ends: ${describe(outcome)}`);
      }),
    );
    violations.push(...(await judgeRun(runStore, archive, people)));
    const rows = await readRows(runStore);
    for (const key of captioned) {
      if (!rows.some((row) => row.key === key && row.status === 'captioned')) {
        violations.push(`the caption of ${key} is gone`);
      }
    }
  }
}

/** Workers of each kind: two pools, or workers of both stages, or some of each. */
function drawCrew(draw: Draw): [kind: WorkerKind, least: number, most: number][] {
  const pools: ReturnType<typeof drawCrew> = [
    ['encoder', 1, 2],
    ['decoder', 1, 2],
  ];
  if (draw.chance(0.6)) return pools;
  // Somebody has to decode what was kept, too.
  return draw.chance(0.5)
    ? [...pools, ['captioner', 1, 2]]
    : [
        ['captioner', 1, 3],
        ['decoder', 1, 1],
      ];
}

function drawRequest(draw: Draw, keysFrom: string | null): Run {
  return {
    format: 2,
    run: name,
    created: new Date(startMs).toISOString(),
    source: { store: sources[0], prefix: '' },
    selection: {
      ...{ keysFrom, include: [], exclude: [], limit: null, sample: null },
      ...(keysFrom !== null && { carry: ['id'] }),
    },
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
    sidecars: draw.chance(0.4) ? sidecarKinds.filter(() => draw.chance(0.6)) : [],
    sidecarRules: {
      existing: draw.chance(0.5) ? 'keep' : draw.chance(0.8) ? 'merge' : 'replace',
      scoreMin: null,
    },
    ...(draw.chance(0.3)
      ? { keepFeatures: { location: null, encoder: 'simulated' } }
      : draw.chance(0.6) && { duplicates: 'etag' as const }),
    // Files of chunks are dear to make: of ten rounds, three have them.
    ...(draw.chance(0.7) && { keepParts: true as const }),
    batchSize: draw.count(1, 5),
    chunkBatches: draw.count(1, 3),
    cutline: 'simulation',
  };
}

/** A person has to do something, and the operator of the simulation does: resume, retry. */
function isExpected(error: Error, hasRun: boolean): boolean {
  if (/\b503\b/.test(error.message)) return !hasRun; // later, it is waited for
  return isForUser(error);
}

function isSummary(outcome: unknown): outcome is Summary {
  return typeof outcome === 'object' && outcome !== null && 'captioned' in outcome;
}

function describe(outcome: unknown): string {
  if (outcome instanceof Error) return outcome.message;
  return isSummary(outcome) ? 'finished' : String(outcome);
}
