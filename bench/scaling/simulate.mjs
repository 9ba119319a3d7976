// @ts-check

/**
 * A pipeline as it drains: images that arrive, two pools of workers, what lies between them, and
 * who decides how many workers there are. Images flow; workers start, crash and are taken away. It
 * plays days in a second, and the same seed plays the same.
 *
 * @typedef {object} Workload
 * @property {Arrival[]} arrivals listed at once, a run each
 * @property {number} days
 * @property {Record<Stage, number>} secondsPerImage of one worker
 * @property {number} batchSize images of a job
 * @property {number} windowImages of a run in both queues, at most
 *
 * @typedef {object} Arrival
 * @property {number} atSeconds
 * @property {number} images
 * @property {number} [deadlineSeconds] by when it should be done
 *
 * @typedef {object} Machines
 * @property {number} startSeconds from the decision until a worker takes jobs
 * @property {number} crashesPerHour of a worker, at random: it is started again where it was
 * @property {number} lossesPerHour of a worker with its machine (spot), with a notice that is drained
 * @property {number} lockSeconds until the batches of a dead worker go to another
 *
 * @typedef {'encode' | 'decode'} Stage
 * @typedef {object} Work what a pool has before it
 * @property {{ secondsLeft: number, deadlineSeconds?: number | undefined }[]} runs of each that is
 *   listed and not done: work, in seconds of one worker's time
 * @property {number} batchesWaiting in its queue
 *
 * @typedef {{ look: (now: number, work: Work) => number }} Scaler
 *
 * @typedef {object} Moment
 * @property {number} at seconds
 * @property {number} left images without a result
 * @property {Record<Stage, number>} workers that take jobs
 *
 * @typedef {object} Played
 * @property {Moment[]} moments
 * @property {number} images with a result
 * @property {number} workerHours of all workers, from their start on, paid for
 * @property {number} usefulHours in which they computed what counted
 * @property {FinishedRun[]} runs as they were finished
 * @property {Record<Stage, number>} most workers at once
 * @property {number} crashes
 * @property {number} losses
 *
 * @typedef {{ images: number, arrivedAt: number, doneAt: number, deadlineSeconds?: number | undefined }} FinishedRun
 */

export const stepSeconds = 5;

/** @type {readonly Stage[]} */
const stages = ['encode', 'decode'];

/**
 * @param {Workload} workload
 * @param {Machines} machines
 * @param {Record<Stage, Scaler>} scalers
 * @param {() => number} random [0, 1)
 * @returns {Played}
 */
export function play(workload, machines, scalers, random) {
  const { days, secondsPerImage, windowImages } = workload;
  const pools = { encode: new Pool(machines, random), decode: new Pool(machines, random) };
  const arrivals = workload.arrivals.toSorted((a, b) => a.atSeconds - b.atSeconds);
  /** Images: listed and not encoded; encoded and not decoded; with a result. */
  let [toEncode, between, done] = [0, 0, 0];
  let arrived = 0;
  const sampleSeconds = days > 2 ? 900 : 300;
  const most = { encode: 0, decode: 0 };
  let usefulSeconds = 0;
  let paidSeconds = 0;
  /** @type {Played['runs']} */
  const runs = [];
  /** @type {Moment[]} */
  const moments = [];
  for (let now = 0; now < days * 86_400; now += stepSeconds) {
    while ((arrivals[arrived]?.atSeconds ?? Number.POSITIVE_INFINITY) <= now) {
      toEncode += /** @type {any} */ (arrivals[arrived]).images;
      arrived += 1;
    }
    const left = { encode: toEncode, decode: toEncode + between };
    const waiting = { encode: Math.min(toEncode, windowImages - between), decode: between };
    for (const stage of stages) {
      const runs = runsLeft(arrivals.slice(0, arrived), left[stage], secondsPerImage[stage]);
      const batchesWaiting = Math.ceil(Math.max(0, waiting[stage]) / workload.batchSize);
      pools[stage].resize(scalers[stage].look(now, { runs, batchesWaiting }), now);
    }
    // What dead workers had in hand is done again, by others, once its lock has expired.
    const again = { encode: pools.encode.live(now), decode: pools.decode.live(now) };
    const capacity = (/** @type {Stage} */ stage) =>
      (pools[stage].ready(now) * stepSeconds) / secondsPerImage[stage];
    const redone = (/** @type {Stage} */ stage) =>
      Math.min(capacity(stage), again[stage] * workload.batchSize);
    for (const stage of stages) most[stage] = Math.max(most[stage], pools[stage].ready(now));
    const room = Math.max(0, windowImages - between);
    const encoded = Math.min(toEncode, capacity('encode') - redone('encode'), room);
    const decoded = Math.min(between + encoded, capacity('decode') - redone('decode'));
    toEncode -= encoded;
    between += encoded - decoded;
    done += decoded;
    usefulSeconds += encoded * secondsPerImage.encode + decoded * secondsPerImage.decode;
    paidSeconds += (pools.encode.size + pools.decode.size) * stepSeconds;
    // Runs are taken in the order in which they came.
    let through = 0;
    for (const [n, { atSeconds, images, deadlineSeconds }] of arrivals
      .slice(0, arrived)
      .entries()) {
      through += images;
      if (n === runs.length && done >= through - 0.5) {
        runs.push({ images, arrivedAt: atSeconds, doneAt: now + stepSeconds, deadlineSeconds });
      }
    }
    if (now % sampleSeconds === 0) {
      const workers = { encode: pools.encode.ready(now), decode: pools.decode.ready(now) };
      moments.push({ at: now, left: toEncode + between, workers });
    }
  }
  return {
    ...{ moments, images: Math.round(done), runs, most },
    workerHours: paidSeconds / 3600,
    usefulHours: usefulSeconds / 3600,
    crashes: pools.encode.crashes + pools.decode.crashes,
    losses: pools.encode.losses + pools.decode.losses,
  };
}

/**
 * What a stage has left, run by run: they are taken in the order in which they came.
 *
 * @param {Arrival[]} arrived
 * @param {number} images left, of all of them
 * @param {number} secondsPerImage
 */
function runsLeft(arrived, images, secondsPerImage) {
  /** @type {Work['runs']} */
  const runs = [];
  for (const run of arrived.toReversed()) {
    const of = Math.min(images, run.images);
    if (of <= 1e-6) break;
    images -= of;
    runs.push({ secondsLeft: of * secondsPerImage, deadlineSeconds: run.deadlineSeconds });
  }
  return runs;
}

/** Workers of one stage, each with the time from which on it takes jobs. */
class Pool {
  /** @param {Machines} machines @param {() => number} random */
  constructor(machines, random) {
    this.machines = machines;
    this.random = random;
    /** @type {number[]} when each is, or was, ready */
    this.workers = [];
    /** @type {number[]} when the locks of the dead expire */
    this.expiring = [];
    this.crashes = 0;
    this.losses = 0;
  }

  get size() {
    return this.workers.length;
  }

  /** @param {number} now */
  ready(now) {
    return this.workers.filter((readyAt) => readyAt <= now).length;
  }

  /** Those that are told to go finish what they have in hand, and lose nothing. @param {number} workers @param {number} now */
  resize(workers, now) {
    // The youngest go first: they may not even be ready.
    this.workers = this.workers.slice(0, workers);
    while (this.workers.length < workers) this.workers.push(now + this.machines.startSeconds);
  }

  /** A step in their lives. @param {number} now @returns {number} batches to be done again */
  live(now) {
    const { startSeconds, crashesPerHour, lossesPerHour, lockSeconds } = this.machines;
    const chance = (/** @type {number} */ perHour) => (perHour * stepSeconds) / 3600;
    this.workers = this.workers.map((readyAt) => {
      if (readyAt > now) return readyAt;
      const drawn = this.random();
      if (drawn < chance(crashesPerHour)) {
        this.crashes += 1;
        this.expiring.push(now + lockSeconds);
        return now + startSeconds;
      }
      if (drawn < chance(crashesPerHour + lossesPerHour)) {
        this.losses += 1; // its notice is long enough to finish what it has in hand
        return now + startSeconds;
      }
      return readyAt;
    });
    const expired = this.expiring.filter((at) => at <= now).length;
    this.expiring = this.expiring.filter((at) => at > now);
    return expired;
  }
}
