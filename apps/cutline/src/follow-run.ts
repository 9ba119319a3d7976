import { readSettings, type Summary } from '@cutline/shared';
import { formatSummary } from './format-summary.ts';
import { withRun } from './run-context.ts';
import { startProducer } from './start-producer.ts';
import { statusReader, watchRun } from './watch-run.ts';

/**
 * Starts a producer for a run and shows its progress until it ends. The exit status is the
 * producer's.
 */
export async function followRun(
  name: string,
  options: Record<string, unknown>,
  producerArgs: string[],
): Promise<void> {
  const { redis } = readSettings(options, ['redis']);
  await withRun(name, options, async ({ run, closers }) => {
    let note = (text: string): void => {
      process.stderr.write(`${text}\n`);
    };
    const output = ['--output', String(options.output), '--redis', redis, '--http-port', '0'];
    const { started, exited } = startProducer([...producerArgs, ...output], (text) => note(text));
    // Progress is worth showing once the producer has checked everything it needs.
    if (await started) {
      process.stderr.write(`Run ${name} → ${run.url}\n`);
      await watchRun(statusReader(run, redis, closers), {
        until: exited,
        notes: (print) => {
          note = print;
        },
      });
    }
    const { code, message, result } = await exited;
    if (code === 0) {
      const summary: Summary = JSON.parse(result);
      if (summary.images === 0) process.stdout.write('There are no images to caption there.\n');
      process.stdout.write(formatSummary(summary, run.url));
      return;
    }
    process.stderr.write(`cutline: ${message || `the run stopped: cutline resume ${name}`}\n`);
    process.exitCode = code;
  });
}
