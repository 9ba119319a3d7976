import type { RunProgress } from '@cutline/pipeline';
import { terminalColumns } from '@cutline/shared/process';
import cliProgress from 'cli-progress';
import { wrap } from '../terminal/fit-text.ts';
import {
  formatBytes,
  formatCount,
  formatCounts,
  formatDuration,
  formatRate,
} from '../terminal/format.ts';
import { say } from '../terminal/say.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import type { RunStatus } from './run-status.ts';

/** Shows a run's progress to whoever watches: bars on a terminal, a line now and then elsewhere. */
export interface ProgressDisplay {
  update(status: RunStatus): void;
  /** Prints a line above the bars. */
  note(text: string): void;
  /** The same of lines that fit as they are, each with its end. */
  print(lines: string): void;
  stop(): void;
}

/** Half-life of the moving average behind rates and the time that is left. */
const rateHalfLifeMs = 5_000;

/** Columns for what stands beside a bar: its name, counts, rate and the time that is left. */
const barNotesWidth = 60;
/** Columns of a stage's name, and of what is between the columns. */
const besideBar = '  captioned'.length + 3 * 2;

export function showProgress(stream: NodeJS.WriteStream): ProgressDisplay {
  return stream.isTTY ? showBars(stream) : showLines(stream);
}

function showBars(stream: NodeJS.WriteStream): ProgressDisplay {
  const columns = () => terminalColumns(stream) ?? Number.POSITIVE_INFINITY;
  const barWidth = Math.max(10, Math.min(30, columns() - barNotesWidth));
  const multibar = new cliProgress.MultiBar(
    {
      format: '  {stage}  {bar}  {counts}  {note}',
      barsize: barWidth,
      hideCursor: true,
      stream,
      clearOnComplete: false,
      emptyOnZero: true,
      forceRedraw: true,
    },
    cliProgress.Presets.shades_classic,
  );
  const encodedBar = multibar.create(0, 0, { stage: 'encoded  ', counts: '', note: '' });
  const finishedBar = multibar.create(0, 0, { stage: 'captioned', counts: '', note: '' });
  const rates = { encoded: new Rate(), finished: new Rate() };
  const room = (counts: string) => columns() - 1 - besideBar - barWidth - counts.length;
  // While bars are shown, what is longer than a line would be cut off.
  const note = (text: string) => print(`${wrap(text, columns()).join('\n')}\n`);
  // At once, and each line over what stood there: bars, which may be longer.
  const print = (lines: string) => {
    multibar.log(lines.replaceAll('\n', `${clearRest}\n`));
    if (multibar.isActive) multibar.update();
  };
  const noted = new Set<string>();
  return {
    update(status) {
      const hints = hintsOf(status);
      for (const hint of hints.filter((each) => !noted.has(each))) note(hint);
      noted.clear();
      for (const hint of hints) noted.add(hint);
      const { progress } = status;
      const done = finishedImages(progress);
      const total = progress.listed;
      const encoded = throughEncoding(progress);
      const listed = `${formatCount(total)}${progress.listingComplete ? '' : '+'}`;
      const rate = rates.finished.add(done);
      const left = total - done;
      const eta = rate > 0 && left > 0 ? `${formatDuration(left / rate)} left` : '';
      encodedBar.setTotal(total);
      encodedBar.update(encoded, {
        counts: `${formatCount(encoded)} of ${listed}`,
        note: formatRate(rates.encoded.add(progress.encoded)),
      });
      finishedBar.setTotal(total);
      const counts = `${formatCount(done)} of ${listed}`;
      const notes = { rate: left > 0 ? formatRate(rate) : '', eta, progress };
      finishedBar.update(done, { counts, note: fitNotes(notes, room(counts)) });
    },
    note,
    print,
    stop() {
      if (multibar.isActive) multibar.stop(); // which Ctrl-C may have done
    },
  };
}

/** To the end of the line. */
const clearRest = '\x1b[K';

function showLines(stream: NodeJS.WriteStream): ProgressDisplay {
  const line = createStatusLine(stream);
  const rate = new Rate();
  return {
    update(status) {
      const imagesPerSecond = rate.add(finishedImages(status.progress));
      line.show(statusLine(status, imagesPerSecond));
    },
    note: (text) => say(stream, text),
    print: (lines) => stream.write(lines),
    stop() {},
  };
}

/** Everything that matters on one line. */
export function statusLine(status: RunStatus, imagesPerSecond = 0): string {
  const { progress, featureBytes } = status;
  const { listed, listingComplete } = progress;
  return join([
    listed === 0 && !listingComplete
      ? 'listing'
      : `${formatCount(finishedImages(progress))} of ${formatCount(listed)}${listingComplete ? '' : '+'} images`,
    formatRate(imagesPerSecond),
    outcomes(progress),
    featureBytes ? `${formatBytes(featureBytes)} of features in flight` : '',
    ...hintsOf(status),
  ]);
}

/**
 * Images that the encode stage has done with: encoded, or without a need to be. An image that fails
 * when it is decoded counts twice for a moment, which the total bounds.
 */
function throughEncoding({ listed, encoded, captioned, skipped, failed }: RunProgress): number {
  return Math.min(listed, Math.max(encoded, captioned) + skipped + failed);
}

export function finishedImages({ captioned, skipped, failed }: RunProgress): number {
  return captioned + skipped + failed;
}

/**
 * What is said beside a bar, in at most so many columns: without the classes of failures where there
 * is no room for them, then without the rate, then without the time that is left.
 */
export function fitNotes(
  { rate, eta, progress }: { rate: string; eta: string; progress: RunProgress },
  columns: number,
): string {
  const plain = outcomes({ ...progress, failedByClass: {} });
  const choices = [[rate, eta, outcomes(progress)], [rate, eta, plain], [eta, plain], [plain]].map(
    join,
  );
  return choices.find((choice) => choice.length <= columns) ?? '';
}

function outcomes({ skipped, failed, failedByClass }: RunProgress): string {
  const classes = formatCounts(failedByClass);
  return join([
    failed > 0 ? `${formatCount(failed)} failed${classes && ` (${classes})`}` : '',
    skipped > 0 ? `${formatCount(skipped)} skipped` : '',
  ]);
}

/** What to do about work that waits for processes that are not there. */
function hintsOf({ run, queues, hasProducer, isCancelled }: RunStatus): string[] {
  if (isCancelled) return [`cancelled: cutline resume ${run} goes on with it`];
  const hints = (['encode', 'decode'] as const)
    .filter((stage) => queues && queues[stage].waiting > 0 && queues[stage].workers === 0)
    .map((stage) => `no ${stage}r-worker is connected: start one`);
  if (hasProducer === false) hints.push(`nothing drives the run: cutline resume ${run}`);
  return hints;
}

function join(parts: readonly string[]): string {
  return parts.filter(Boolean).join(' · ');
}

/** A rate, smoothed exponentially over time. */
class Rate {
  #value = 0;
  #count: number | undefined;
  #at = 0;

  /** @param count the total so far. Returns units per second. */
  add(count: number): number {
    const now = performance.now();
    if (this.#count === undefined) {
      this.#count = count;
      this.#at = now;
      return 0;
    }
    const ms = now - this.#at;
    if (ms < 200) return this.#value;
    const current = ((count - this.#count) / ms) * 1000;
    const weight = this.#value === 0 ? 1 : 1 - 0.5 ** (ms / rateHalfLifeMs);
    this.#value += weight * (current - this.#value);
    this.#count = count;
    this.#at = now;
    return this.#value;
  }
}
