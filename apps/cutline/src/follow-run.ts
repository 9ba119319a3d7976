import { readSettings } from '@cutline/shared/process';
import type { Summary } from '@cutline/shared/run';
import { formatSummary } from './format-summary.ts';
import { withRun } from './run-context.ts';
import { startProducer } from './start-producer.ts';
import { createStatusLine } from './status-line.ts';
import { statusReader, watchRun } from './watch-run.ts';

/** 128 and the number of SIGINT or SIGTERM: the status of a producer that was told to stop. */
const stoppedStatuses = [130, 143];

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
  const output = options.output === undefined ? [] : ['--output', String(options.output)];
  let note = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  const producer = startProducer(
    [...producerArgs, ...output, '--redis', redis, '--http-port', '0'],
    (text) => note(text),
  );
  // What is missing or wrong is the producer's to find; once it lists, there is a run to watch.
  const status = createStatusLine(process.stderr);
  status.show('starting …');
  const started = await producer.started.finally(status.clear);
  let results = '';
  if (started) {
    await withRun(name, options, async ({ run, closers }) => {
      results = run.url;
      note(`Run ${name} → ${run.url}`);
      await watchRun(statusReader(run, redis, closers), {
        until: producer.exited,
        notes: (print) => {
          note = print;
        },
      });
    }).catch((error) => {
      producer.stop(); // nobody watches it any more
      throw error;
    });
  }

  const { code, message, result } = await producer.exited;
  process.exitCode = code;
  if (code === 0) {
    const summary: Summary = JSON.parse(result);
    if (summary.images === 0) process.stdout.write('There are no images to caption there.\n');
    const isBelowBars = process.stdout.isTTY && process.stderr.isTTY;
    process.stdout.write(`${isBelowBars ? '\n' : ''}${formatSummary(summary, results)}`);
    return;
  }
  const why = stoppedStatuses.includes(code)
    ? `stopped.${started ? ' Workers finish what is enqueued.' : ''}`
    : message || 'the producer died without a word.';
  const resume = `Go on with: cutline resume ${name} --output ${options.output}`;
  const isSaid = message.includes('cutline resume');
  process.stderr.write(`cutline: ${why}${started && !isSaid ? ` ${resume}` : ''}\n`);
}
