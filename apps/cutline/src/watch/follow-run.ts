import { outputLocation, type ProduceRunOptions, produceRun } from '@cutline/pipeline';
import { describeError, isForUser, isTransient } from '@cutline/shared/errors';
import {
  Closers,
  createNotesLogger,
  Metrics,
  openTracing,
  readSettings,
  storeConfig,
  untilStopped,
} from '@cutline/shared/process';
import type { Summary } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import { formatSummary } from '../terminal/format-summary.ts';
import { fit, say } from '../terminal/say.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import { statusReader, watchRun } from './watch-run.ts';

/** The settings of every command that produces a run. */
export const producingSettings = ['redis', 'features', 's3PathStyle'] as const;

export interface FollowOptions {
  what: ProduceRunOptions['what'];
  /** Jobs of the run at most, in both queues. */
  window: number;
  /** As the command was given them. */
  flags: Record<string, unknown> & { output?: string };
}

/**
 * Produces a run in this process, and shows its progress until it ends.
 * @throws what the producer throws; after it began, with the way to go on in the message
 */
export async function followRun({ what, window, flags }: FollowOptions): Promise<void> {
  const settings = readSettings(flags, producingSettings);
  const name = 'begin' in what ? what.begin.run : what.resume;
  const { stopped } = untilStopped();
  const closers = new Closers();
  const tracing = await openTracing('cutline-producer', (message) => {
    note(`Traces cannot be sent: ${message}`);
  });
  closers.add('traces', () => tracing.close());
  let note = (text: string): void => {
    say(process.stderr, text);
  };
  const onNotice = (text: string) => note(text);
  const stores = new StorePool({ ...storeConfig(settings), onNotice });
  closers.add('stores', () => stores.close());
  const status = createStatusLine(process.stderr);
  status.show('starting …');
  let watching: Promise<unknown> | undefined;
  let results: string | undefined;
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const producing = produceRun({
    what,
    output: outputLocation(flags),
    redisUrl: settings.redis,
    stores,
    window,
    metrics: new Metrics({ tracing }),
    log: createNotesLogger((text) => note(text)),
    closers,
    onStarted({ runStore }) {
      status.clear();
      results = runStore.url;
      note(`Run ${name} → ${runStore.url}`);
      watching = watchRun(statusReader(runStore, settings, closers), {
        until: ended,
        notes: (print) => {
          note = print;
        },
      }).catch((error) => note(describeError(error)));
    },
  });
  producing.catch(() => {}); // it is heard below
  try {
    const outcome = await Promise.race([producing, stopped]).finally(() => {
      status.clear();
      end();
      return watching;
    });
    if ('signal' in outcome) {
      process.exitCode = outcome.signal === 'SIGINT' ? 130 : 143;
      const workers = results ? ' Workers finish what is enqueued.' : '';
      say(process.stderr, `cutline: stopped.${workers}${goOn(name, flags)}`);
      await leave(closers);
    }
    showSummary(outcome as Summary, results ?? runUrl(flags, name));
  } catch (error) {
    const isSaid = describeError(error).includes('cutline ');
    if (results && !isSaid && (isForUser(error) || isTransient(error))) {
      say(process.stderr, `cutline: ${describeError(error)}${goOn(name, flags)}`);
      process.exitCode = 2;
      await leave(closers); // what else it was about would wait for its connections for ever
    }
    throw error;
  } finally {
    await closers.closeAll();
  }
}

/** The producer is left where it is: whatever it has done stays true. */
async function leave(closers: Closers): Promise<never> {
  await closers.closeAll();
  process.exit();
}

function goOn(name: string, { output }: FollowOptions['flags']): string {
  return ` Go on with: cutline resume ${name} --output ${output}`;
}

function runUrl(flags: FollowOptions['flags'], name: string): string {
  const { store, prefix } = outputLocation(flags);
  return `${store}/${prefix}runs/${name}/`;
}

function showSummary(summary: Summary, results: string): void {
  if (summary.images === 0) process.stdout.write('There are no images to caption there.\n');
  const isBelowBars = process.stdout.isTTY && process.stderr.isTTY;
  process.stdout.write(
    (isBelowBars ? '\n' : '') + fit(process.stdout, formatSummary(summary, results)),
  );
}
