import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '@cutline/captioner';
import type { FailureClass } from '@cutline/shared/errors';
import type { PartRow } from '@cutline/shared/run';
import { makeArchive } from './archive.ts';
import {
  checkKept,
  checkRedis,
  checkRows,
  checkTotals,
  checkVerified,
  type Expected,
  featureBytesLeft,
  readRows,
} from './check-round.ts';
import type { Fault } from './fault.ts';
import { Operator } from './operator.ts';
import { drawSchedule, type Schedule } from './schedule.ts';
import { type Armed, armStrikes } from './strikes.ts';
import type { Scene, World, WorldOptions } from './world.ts';

/** What came of a round. */
export interface Round {
  seed: number;
  images: number;
  /** That were struck; a moment may never come. */
  faults: string[];
  seconds: number;
  /** Good images that failed over a fault, by class: `retry` captioned them in the end. */
  excused: Record<string, number>;
  /** What must not be; none where all is well. */
  violations: string[];
  /** What happened, with times. */
  trace: string[];
  /** What each process said, by its name and number. */
  logs: Map<string, string>;
}

/** A round takes seconds, and longer where producers wait for the lock of a dead one. */
const roundMs = 150_000;

export interface RoundOptions {
  world: World;
  options: WorldOptions;
  /** By sample number: what the model says of it. */
  captions: string[];
  /** In place of the one that the seed draws. */
  schedule?: Schedule;
  deadlineMs?: number;
}

/**
 * One run of a small archive while the faults of a seed strike. They heal; the run is resumed until
 * it is finished; what failed over a fault is retried, and must have its caption then.
 */
export async function playRound(
  seed: number,
  { world, options, captions, deadlineMs = roundMs, ...given }: RoundOptions,
): Promise<Round> {
  const started = performance.now();
  const random = createRandom(seed * 7919 + 1);
  const schedule = given.schedule ?? drawSchedule(random, options);
  const operator = new Operator(world, `seed-${seed}`, schedule.batchSize);
  const archive = await makeArchive(`${operator.run}/`, schedule.images, random, schedule.badShare);
  const trace = [describeRound(schedule, options)];
  const note = (line: string) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    trace.push(`${seconds.padStart(7)} s  ${line}`);
  };
  const round: Round = {
    ...{
      seed,
      images: schedule.images,
      faults: [],
      seconds: 0,
      excused: {},
      violations: [],
      trace,
    },
    logs: new Map(),
  };
  world.crew.turnPage();
  world.pipeline.proxy.latencyMs = schedule.latencyMs;
  const tooLate = new AbortController();
  try {
    await world.pipeline.upload([...archive].map(([key, { bytes }]) => [key, bytes] as const));
    const done = playOut({ ...world, operator }, schedule, { archive, captions }, { round, note });
    const late = sleep(deadlineMs, undefined, { signal: tooLate.signal }).then(() => {
      throw new Error(`not at its end after ${deadlineMs / 1000} s`);
    });
    await Promise.race([done, late]);
  } catch (error) {
    round.violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    tooLate.abort();
    await operator.stop();
  }
  round.violations.push(...world.crew.violations, ...operator.violations);
  for (const { name, process, ended } of [...world.crew.history, ...operator.history]) {
    const why = ended === 'status 2' ? `: ${process.stderr.findLast(isReason)}` : '';
    note(`${name} (process ${process.pid}): ${ended ?? 'still there'}${why}`);
    round.logs.set(`${process.pid}-${name}`, [...process.stdout, ...process.stderr].join('\n'));
  }
  round.seconds = (performance.now() - started) / 1000;
  return round;
}

async function playOut(
  scene: Scene,
  { strikes, retryStrikes }: Schedule,
  expected: Expected,
  { round, note }: { round: Round; note: (line: string) => void },
): Promise<void> {
  const { operator } = scene;
  const { violations } = round;
  const excused = new Set<FailureClass>();
  const onStrike = ({ what, excuses = [] }: Fault) => {
    round.faults.push(what);
    for (const each of excuses) excused.add(each);
  };
  /** To an end from which nobody moves any more. */
  const settle = async (armed: Armed) => {
    await operator.seeToEnd();
    note('finished; what has not struck will not');
    await armed.disarm();
    note('all is healed');
    const state = await operator.seeToEnd();
    const rows = await readRows(scene, state);
    violations.push(...checkRows(rows, expected, [...excused]));
    return { state, rows };
  };

  let end = await settle(armStrikes(scene, strikes, { onStrike, note }));
  if (retryStrikes.length > 0) {
    note('all failures are retried');
    const armed = armStrikes(scene, retryStrikes, { onStrike, note });
    await operator.drive(['retry', operator.run]);
    const again = await settle(armed);
    violations.push(...checkKept(end.rows, again.rows));
    end = again;
  }
  round.excused = countExcused(end.rows, expected);
  const classes = Object.keys(round.excused);
  if (classes.length > 0) {
    note(`retried: ${JSON.stringify(round.excused)}`);
    const code = await operator.drive(['retry', operator.run, '--class', ...classes]);
    if (code !== 0) violations.push(`retry ended with status ${code}, and nothing was wrong`);
    const state = await operator.seeToEnd();
    const rows = await readRows(scene, state);
    violations.push(...checkRows(rows, expected, []), ...checkKept(end.rows, rows));
    end = { state, rows };
  }
  scene.pipeline.proxy.latencyMs = {};
  violations.push(...(await checkTotals(scene, end.state, end.rows)));
  violations.push(...(await checkRedis(scene)));
  note('the queues are empty');
  violations.push(...(await checkVerified(scene)));
  const bytes = await featureBytesLeft(scene);
  if (bytes > 0) note(`${bytes} bytes of features are left to expire`);
}

function countExcused(rows: readonly PartRow[], { archive }: Expected): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const row of rows) {
    if (row.status !== 'failed' || archive.get(row.key)?.kind === row.failure.class) continue;
    const name: FailureClass = row.failure.class;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** What a program says last that stops for a person to act. */
function isReason(line: string): boolean {
  return /"level":"fatal"|^(cutline|(en|de)coder-worker|captioner-worker): /.test(line);
}

function describeRound({ images, batchSize, latencyMs }: Schedule, world: WorldOptions): string {
  const { encoders, decoders, captioners, appendOnly, redis, withDisk } = world;
  return (
    `  ${images} images in batches of ${batchSize}, ${encoders} encoders, ${decoders} decoders, ` +
    `${captioners} captioners, ` +
    `Redis ${appendOnly ? 'with' : 'without'} AOF (${redis}), ` +
    `results ${withDisk ? 'on a small disk' : 'in S3'}, latency of S3 ${JSON.stringify(latencyMs)} ms`
  );
}
