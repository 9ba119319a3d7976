import { setTimeout as sleep } from 'node:timers/promises';
import type { FailureClass } from '@cutline/shared/errors';
import type { PartRow } from '@cutline/shared/run';
import { seededRandom } from '../simulation/dist/virtual-time.js';
import { makeArchive } from './archive.ts';
import {
  checkKept,
  checkRedis,
  checkRows,
  checkTotals,
  checkVerified,
  type Expected,
  readRows,
} from './check-round.ts';
import { runName } from './operator.ts';
import { describeMoment, drawSchedule, type Schedule, type Strike } from './schedule.ts';
import { startWorld, type World } from './world.ts';

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
const deadlineMs = 180_000;

/**
 * One run of a small archive while the faults of a seed strike. They heal; the run is resumed until
 * it is finished; what failed over a fault is retried, and must have its caption then.
 */
export async function playRound(
  seed: number,
  { captions, can }: { captions: readonly string[]; can: { fillDisks: boolean } },
): Promise<Round> {
  const started = performance.now();
  const random = seededRandom(seed * 7919 + 1);
  const schedule = drawSchedule(random, can);
  const archive = await makeArchive(schedule.images, random);
  const world = await startWorld(schedule.world);
  const trace = [describeWorld(schedule)];
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
  const tooLate = new AbortController();
  try {
    await world.pipeline.upload([...archive].map(([key, { bytes }]) => [key, bytes] as const));
    const done = playOut(world, schedule, { archive, captions }, { round, note });
    const late = sleep(deadlineMs, undefined, { signal: tooLate.signal }).then(() => {
      throw new Error(`not at its end after ${deadlineMs / 1000} s`);
    });
    await Promise.race([done, late]);
  } catch (error) {
    round.violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    tooLate.abort();
    for (const [index, { name, process, ended }] of [
      ...world.crew.history,
      ...world.operator.history,
    ].entries()) {
      note(`${name} (process ${process.pid}): ${ended ?? 'still there'}`);
      round.logs.set(`${index}-${name}`, [...process.stdout, ...process.stderr].join('\n'));
    }
    await world.stop();
  }
  round.violations.push(...world.crew.violations, ...world.operator.violations);
  round.seconds = (performance.now() - started) / 1000;
  return round;
}

async function playOut(
  world: World,
  { strikes }: Schedule,
  expected: Expected,
  { round, note }: { round: Round; note: (line: string) => void },
): Promise<void> {
  const { operator } = world;
  const armed = armStrikes(world, strikes, { round, note });
  await operator.seeToEnd();
  note('finished; what has not struck will not');
  await armed.disarm();
  note('all is healed');
  const first = await operator.seeToEnd();
  const excused = [...new Set(armed.struck().flatMap(({ excuses = [] }) => excuses))];
  const before = await readRows(world, first);
  round.violations.push(...checkRows(before, expected, excused));
  round.excused = countExcused(before, expected);
  let [rows, state] = [before, first];
  if (Object.keys(round.excused).length > 0) {
    note(`retried: ${JSON.stringify(round.excused)}`);
    const code = await operator.drive(['retry', runName, '--class', ...excused]);
    if (code !== 0) round.violations.push(`retry ended with status ${code}, and nothing was wrong`);
    state = await operator.seeToEnd();
    rows = await readRows(world, state);
    round.violations.push(...checkRows(rows, expected, []), ...checkKept(before, rows));
  }
  round.violations.push(...(await checkTotals(world, state, rows)));
  round.violations.push(...(await checkRedis(world)));
  round.violations.push(...(await checkVerified(world)));
}

/** Each fault strikes at its moment, and those on one thing one after another. */
function armStrikes(
  world: World,
  strikes: readonly Strike[],
  { round, note }: { round: Round; note: (line: string) => void },
) {
  const struck: Strike['fault'][] = [];
  const healed = new Map<string, Promise<void>>();
  const strike = async ({ fault, moment }: Strike) => {
    struck.push(fault);
    round.faults.push(fault.what);
    const earlier = healed.get(fault.on) ?? Promise.resolve();
    const begun = earlier.then(async () => {
      note(`${fault.what} (at ${describeMoment(moment)})`);
      await fault.begin(world);
    });
    const over = begun.then(async () => {
      await sleep(fault.lastsMs);
      await fault.heal?.(world);
      if (fault.heal) note(`over: ${fault.what}`);
    });
    healed.set(fault.on, over);
    over.catch(() => {}); // it is heard when all is healed
    await begun;
  };
  const takeAway = strikes.map((each) =>
    world.pipeline.proxy.add({
      ...each.moment,
      times: 1,
      does: { before: () => strike(each).catch(() => {}) },
    }),
  );
  return {
    struck: () => struck,
    async disarm() {
      for (const disarm of takeAway) disarm();
      await Promise.all(healed.values());
    },
  };
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

function describeWorld({ images, world }: Schedule): string {
  const { encoders, decoders, batchSize, appendOnly, withReplica, withDisk } = world;
  return (
    `  ${images} images in batches of ${batchSize}, ${encoders} encoders, ${decoders} decoders, ` +
    `Redis ${appendOnly ? 'with' : 'without'} AOF${withReplica ? ' and with a replica' : ''}, ` +
    `results ${withDisk ? 'on a small disk' : 'in S3'}`
  );
}
