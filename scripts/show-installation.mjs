// @ts-check

/**
 * What a person sees while a fresh clone is made ready: how long it is until there is something to
 * see, and a line a step with the time it takes. Within 80 columns.
 */

/** Of packages, with `npm ci` and an empty cache on Linux, 28 November 2026. */
const megabytes = { downloaded: 315, installed: 720 };

/** What a task shows first, and when, on two cores. */
const firstSights = new Map([['demo', 'After that, the first caption comes in about 20 seconds.']]);

/**
 * @param {string | undefined} task of `bootstrap.mjs`
 * @returns {string} lines
 */
export function announceInstallation(task) {
  const { downloaded, installed } = megabytes;
  const lines = [
    `Packages are installed first: ${downloaded} MB to download, ${installed} MB on the disk. That takes`,
    'half a minute on a fast connection.',
    ...[firstSights.get(task ?? '') ?? []].flat(),
  ];
  return `${lines.join('\n')}\n\n`;
}

/**
 * @param {{ write: (text: string) => unknown, isTTY?: boolean }} stream
 * @param {string} name
 * @param {string} what it does
 * @returns {() => void} when it is done
 */
export function showStep(stream, name, what) {
  const started = performance.now();
  const line = stepLine(name, what);
  const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`;
  stream.write(`${line} …`);
  const timer = stream.isTTY
    ? setInterval(() => stream.write(`\r${line} … ${seconds()}`), 1000)
    : undefined;
  return () => {
    clearInterval(timer);
    stream.write(`${stream.isTTY ? `\r${line} …` : ''} ${seconds()}\n`);
  };
}

/** @param {string} name @param {string} what */
export function stepLine(name, what) {
  return `  ${name.padEnd(10)}${what}`;
}
