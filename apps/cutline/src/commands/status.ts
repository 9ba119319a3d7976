import { once } from 'node:events';
import { type Plan, readPlan } from '@cutline/pipeline';
import { addSettings, readSettings } from '@cutline/shared/process';
import type { Run, RunStore } from '@cutline/shared/run';
import type { Command } from 'commander';
import { type Became, comparePlan } from '../plan/compare-plan.ts';
import { formatCount, formatQuantity } from '../terminal/format.ts';
import { formatDeadline } from '../terminal/format-deadline.ts';
import { formatSummary } from '../terminal/format-summary.ts';
import { fit, say } from '../terminal/say.ts';
import { finishedImages, statusLine } from '../watch/progress-display.ts';
import { formatReviewStatus, type ReviewStatus, readReviewStatus } from '../watch/review-status.ts';
import { addRunArguments, withRun } from '../watch/run-context.ts';
import type { RunStatus } from '../watch/run-status.ts';
import { statusReader, watchRun } from '../watch/watch-run.ts';

export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('Say how far a run is: by stage, what waits, failures by class.')
    .option('-w, --watch', 'go on until the run is finished, with rates and the time that is left')
    .option('--json', 'one JSON object, for machines');
  addSettings(addRunArguments(command), ['redis', 'features']).action(
    async (name: string, options) => {
      const settings = readSettings(options, ['redis', 'features']);
      await withRun(name, options, async ({ run: runStore, closers }) => {
        const run = await runStore.readRun();
        const read = statusReader(runStore, settings, closers);
        const status = options.watch ? await watchUntilInterrupted(read, runStore) : await read();
        if (!status) return;
        const reviews = await readReviewStatus(runStore);
        const plan = await readPlan(runStore);
        process.stdout.write(
          options.json
            ? `${JSON.stringify({ ...status, reviews, ...(plan && { plan: plan.estimate }) })}\n`
            : fit(process.stdout, formatStatus(status, run, plan) + reviewLines(reviews)),
        );
      });
    },
  );
}

function reviewLines(reviews: ReviewStatus | undefined): string {
  if (!reviews) return '';
  return formatReviewStatus(reviews)
    .map((line) => `${line}\n`)
    .join('');
}

/** @returns undefined after Ctrl-C: whoever watched has seen enough. */
async function watchUntilInterrupted(
  read: () => Promise<RunStatus>,
  { run, url }: RunStore,
): Promise<RunStatus | undefined> {
  say(process.stderr, `Run ${run} → ${url}`);
  const interrupted = once(process, 'SIGINT');
  const status = await watchRun(read, { until: interrupted });
  if (status?.summary) return status;
  process.exitCode = 130;
  return undefined;
}

function formatStatus(status: RunStatus, { created }: Run, plan: Plan | undefined): string {
  const { progress, queues, summary, deadline } = status;
  if (summary) {
    const ended = deadline && `  deadline   ${formatDeadline(deadline, summary)}\n`;
    return `${formatSummary(summary, status.results)}${ended ?? ''}${planLines(plan, { summary })}`;
  }
  const nowMs = Date.now();
  const seconds = (nowMs - Date.parse(created)) / 1000;
  const done = finishedImages(progress);
  const secondsLeft = done > 0 ? (seconds * (progress.listed - done)) / done : undefined;
  const lines = [
    `Run ${status.run}: ${statusLine(status, done / seconds)}`,
    `  encoded    ${formatCount(progress.encoded)}`,
    `  captioned  ${formatCount(progress.captioned)}`,
    ...(deadline ? [`  deadline   ${formatDeadline(deadline, { nowMs, secondsLeft })}`] : []),
    ...(['encode', 'decode'] as const).map((stage) => {
      const { waiting, active, delayed, workers } = queues![stage];
      const batches =
        `${formatQuantity(waiting, 'batch', 'batches')} waiting, ${formatCount(active)} in hand` +
        (delayed > 0 ? `, ${formatCount(delayed)} delayed` : '');
      return `  ${stage.padEnd(9)}  ${batches}; ${formatQuantity(workers, 'worker')} connected`;
    }),
  ];
  const secondsInAll = secondsLeft === undefined ? undefined : seconds + secondsLeft;
  return `${lines.join('\n')}\n${planLines(plan, { secondsInAll })}`;
}

function planLines(plan: Plan | undefined, became: Became): string {
  const lines = plan ? comparePlan(plan, became) : [];
  return lines.map((line, n) => `  ${n === 0 ? 'planned  ' : '         '}  ${line}\n`).join('');
}
