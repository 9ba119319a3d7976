/** Runs: how far each is, what failed, and whether it wants somebody. */
import { post } from '../../loopback/client/api.ts';
import { byId, figure, make } from '../../loopback/client/elements.ts';
import { formatCount, formatRate, formatSeconds } from './format.ts';
import type { Failures, RunSeen } from './messages.ts';

/** Examples of failures that somebody asked for, by run; they stay open while figures change. */
const opened = new Map<string, Failures>();

export function showRuns(runs: readonly RunSeen[]): void {
  byId('no-runs').hidden = runs.length > 0;
  byId('runs').replaceChildren(...runs.map((run) => showRun(run, () => showRuns(runs))));
}

function showRun(run: RunSeen, again: () => void): HTMLElement {
  const { captioned, skipped, failed, listed, isListed, rate, secondsLeft } = run;
  const done = captioned + skipped + failed;
  const failures = opened.get(run.run);
  return make(
    'article',
    { className: 'run' },
    make(
      'header',
      {},
      make('h3', { textContent: run.run }),
      make('span', stateOf(run)),
      make('code', { className: 'model', textContent: run.model }),
    ),
    shareOf(run),
    make(
      'dl',
      { className: 'figures' },
      figure('done', `${formatCount(done)} of ${formatCount(listed)}${isListed ? '' : '+'}`),
      figure('captioned', formatCount(captioned)),
      figure('skipped', formatCount(skipped)),
      figure('failed', formatCount(failed)),
      ...(run.state === 'finished'
        ? []
        : [
            figure('rate', formatRate(rate)),
            figure('left', secondsLeft === null ? '—' : formatSeconds(secondsLeft)),
            ...(run.deadlineMs === null ? [] : [figure('deadline', deadlineOf(run.deadlineMs))]),
            figure('waits for', run.bottleneck === null ? '—' : stageNames[run.bottleneck]),
          ]),
    ),
    ...(failed > 0 ? [classesOf(run, again)] : []),
    ...(failures ? [examplesOf(failures)] : []),
  );
}

const stageNames = { list: 'the listing', encode: 'encoders', decode: 'decoders' };

/** A run that nothing was done of for so long wants somebody to look. */
const stillSeconds = 120;

function deadlineOf(deadlineMs: number): string {
  const seconds = (deadlineMs - Date.now()) / 1000;
  return seconds > 0 ? `in ${formatSeconds(seconds)}` : `passed ${formatSeconds(-seconds)} ago`;
}

/** Seconds after its deadline at which a run is done at its rate of late; negative: before. */
function lateness({ state, deadlineMs, secondsLeft }: RunSeen): number {
  if (state === 'finished' || deadlineMs === null) return Number.NEGATIVE_INFINITY;
  return (Date.now() - deadlineMs) / 1000 + (secondsLeft ?? 0);
}

function stateOf(run: RunSeen): { textContent: string; className: string } {
  const { state, idleSeconds } = run;
  const late = lateness(run);
  const isStill = state === 'running' && idleSeconds > stillSeconds;
  const isTrouble = isStill || state === 'without a producer' || late > 0;
  const text =
    state === 'without a producer'
      ? 'nobody sees it to its end: cutline resume'
      : isStill
        ? `nothing was done for ${formatSeconds(idleSeconds)}`
        : late > 0
          ? `misses its deadline by ${formatSeconds(late)}`
          : state;
  return { textContent: text, className: isTrouble ? 'state is-trouble' : 'state' };
}

/** Its images by outcome, as lengths; those that are encoded and wait for a decoder come last. */
function shareOf({ listed, encoded, captioned, skipped, failed }: RunSeen): HTMLElement {
  const bar = make('div', { className: 'share' });
  const waiting = Math.max(0, Math.min(encoded - captioned, listed - captioned - skipped - failed));
  for (const [name, images] of Object.entries({ captioned, skipped, failed, encoded: waiting })) {
    const part = make('i', { className: name });
    part.style.width = `${listed > 0 ? (100 * images) / listed : 0}%`;
    bar.append(part);
  }
  bar.setAttribute('aria-hidden', 'true'); // the figures below say it
  return bar;
}

function classesOf({ run, failedByClass }: RunSeen, again: () => void): HTMLElement {
  const byNumber = Object.entries(failedByClass).toSorted(([, a], [, b]) => b - a);
  const text = byNumber.map(([name, images]) => `${name} ${formatCount(images)}`).join(' · ');
  const button = make('button', { textContent: text });
  button.type = 'button';
  button.title = 'Show some of them';
  button.setAttribute('aria-expanded', String(opened.has(run)));
  button.addEventListener('click', async () => {
    if (!opened.delete(run)) {
      const failures = post<Failures>('/api/failures', { run });
      opened.set(run, await failures.catch(({ message }) => ({ examples: [], note: message })));
    }
    again();
  });
  return make('p', { className: 'classes' }, button);
}

function examplesOf({ examples, note }: Failures): HTMLElement {
  const list = make('ul', { className: 'examples' });
  for (const example of examples) {
    list.append(
      make(
        'li',
        {},
        make('span', { textContent: example.class }),
        make('code', { textContent: example.key, dir: 'ltr' }),
        make('span', { textContent: example.message }),
      ),
    );
  }
  if (note) list.append(make('li', { className: 'note', textContent: note }));
  return list;
}
