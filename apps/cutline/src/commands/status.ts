import { addSettings, readSettings } from '@cutline/shared';
import type { Command } from 'commander';
import { formatSummary } from '../format-summary.ts';
import { statusLine } from '../progress-display.ts';
import { addRunArguments, withRun } from '../run-context.ts';
import type { RunStatus } from '../run-status.ts';
import { statusReader, watchRun } from '../watch-run.ts';

export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('Say how far a run is: by stage, with rates, what is left, and failures by class.')
    .option('-w, --watch', 'go on until the run is finished')
    .option('--json', 'one JSON object, for machines');
  addSettings(addRunArguments(command), ['redis']).action(async (name: string, options) => {
    const { redis } = readSettings(options, ['redis']);
    await withRun(name, options, async ({ run, closers }) => {
      await run.readRun();
      const read = statusReader(run, redis, closers);
      const status = options.watch ? await watchRun(read) : await read();
      process.stdout.write(options.json ? `${JSON.stringify(status)}\n` : formatStatus(status));
    });
  });
}

function formatStatus(status: RunStatus): string {
  if (status.summary) return formatSummary(status.summary, status.results);
  const { progress, queues, run } = status;
  const queueLine = (['encode', 'decode'] as const).map((stage) => {
    const { waiting, active, delayed, workers } = queues![stage];
    const jobs = `${waiting} batches waiting, ${active} active${delayed ? `, ${delayed} delayed` : ''}`;
    return `  ${stage} queue  ${jobs}; ${workers} worker${workers === 1 ? '' : 's'} connected\n`;
  });
  return (
    `Run ${run}: ${statusLine(status)}\n` +
    `  encoded       ${progress.encoded}\n  captioned     ${progress.captioned}\n${queueLine.join('')}`
  );
}
