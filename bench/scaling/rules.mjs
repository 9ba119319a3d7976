// @ts-check

import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';

/** @import { Work } from './simulate.mjs' */

/**
 * The rules that pools are scaled by: those that ship (infra/prometheus/scaling.yml says how many
 * workers are wanted, infra/kubernetes/components/keda how that is followed), as KEDA and Kubernetes
 * apply them, and others to hold them against.
 *
 * @typedef {object} Rules
 * @property {number} pollSeconds between two looks while there is no worker
 * @property {number} cooldownSeconds from the last look that found work until there is no worker
 * @property {number} min workers
 * @property {number} max workers
 * @property {number} threshold of the metric, for each worker
 * @property {number} drainSeconds in which runs without a deadline are to be done
 * @property {{ factor: number, marginSeconds: number, leastSeconds: number }} deadline how many more
 *   workers than it takes, how long before it they aim at, and in which time what is late is to be done
 * @property {Policy[]} up
 * @property {Policy[]} down
 * @property {number} downStableSeconds the most that was wanted of late is what counts
 *
 * @typedef {{ type: 'Percent' | 'Pods', value: number, periodSeconds: number }} Policy
 */

/** The ones that ship. @param {Partial<Rules>} [others] what is otherwise @returns {Promise<Rules>} */
export async function shippedRules(others = {}) {
  const read = async (/** @type {string} */ path) =>
    parse(await readFile(new URL(`../../infra/${path}`, import.meta.url), 'utf8'));
  const { spec: common } = await read('kubernetes/components/keda/scaling.yaml');
  const { spec: encoders } = await read('kubernetes/components/keda/encoder-worker.yaml');
  const { groups } = await read('prometheus/scaling.yml');
  const { scaleUp, scaleDown } = common.advanced.horizontalPodAutoscalerConfig.behavior;
  return {
    pollSeconds: common.pollingInterval,
    cooldownSeconds: common.cooldownPeriod,
    min: common.minReplicaCount,
    max: encoders.maxReplicaCount,
    threshold: Number(encoders.triggers[0].metadata.threshold),
    ...numbersOf(groups[0].rules),
    up: scaleUp.policies,
    down: scaleDown.policies,
    downStableSeconds: scaleDown.stabilizationWindowSeconds,
    ...others,
  };
}

/** @param {{ record: string, labels?: Record<string, string>, expr: string }[]} rules @returns {Pick<Rules, 'drainSeconds' | 'deadline'>} */
function numbersOf(rules) {
  const find = (
    /** @type {string} */ record,
    /** @type {string | undefined} */ within,
    /** @type {RegExp} */ pattern,
  ) => {
    const rule = rules.find((each) => each.record === record && each.labels?.in === within);
    const match = pattern.exec(rule?.expr ?? '');
    if (!match) throw new Error(`scaling.yml: ${record} of ${within} is not as ${pattern}`);
    return match.slice(1).map(Number);
  };
  const [hours = 0, drainSeconds = 0] = find(
    'cutline:workers_wanted',
    'hour',
    /\[(\d+)h\][\s\S]*\/ (\d+)\s*$/,
  );
  if (hours * 3600 < drainSeconds) {
    throw new Error(`scaling.yml: the most of ${hours} h is divided by ${drainSeconds} s`);
  }
  const [factor = 0] = find('cutline:workers_wanted', 'deadline', /^([\d.]+) \*/);
  const [marginSeconds = 0, leastSeconds = 0] = find(
    'cutline:run_seconds_to_deadline',
    undefined,
    / - (\d+) - time\(\), (\d+)\)/,
  );
  return { drainSeconds, deadline: { factor, marginSeconds, leastSeconds } };
}

/** Seconds, longer than the periods of policies. */
const remembered = 3600;

/** Between two looks of the autoscaler, and how far off it leaves be. */
const syncSeconds = 15;
const tolerance = 0.1;

/**
 * An autoscaler, which is asked again and again how many workers there should be. KEDA decides
 * between none and one; from one on, it is Kubernetes's HorizontalPodAutoscaler, on the average of
 * the metric over the workers: wanted = ⌈metric ÷ threshold⌉, no faster than its policies.
 */
export class Autoscaler {
  /** @param {Rules} rules */
  constructor(rules) {
    this.rules = rules;
    this.replicas = rules.min;
    this.nextLook = 0;
    this.lastActive = Number.NEGATIVE_INFINITY;
    /** @type {{ at: number, replicas: number }[]} what it set, for the policies */
    this.history = [];
    /** @type {{ at: number, wanted: number }[]} */
    this.wishes = [];
  }

  /**
   * @param {number} now seconds
   * @param {number} metric over all workers, as the threshold is
   * @returns {number} workers
   */
  look(now, metric) {
    if (now < this.nextLook) return this.replicas;
    const { rules } = this;
    if (metric > 0) this.lastActive = now;
    if (this.replicas === 0 || (rules.min === 0 && metric <= 0)) {
      this.nextLook = now + rules.pollSeconds;
      if (metric > 0) this.#set(now, 1);
      else if (now - this.lastActive > rules.cooldownSeconds) this.#set(now, 0);
      return this.replicas;
    }
    this.nextLook = now + syncSeconds;
    this.#set(now, this.#within(now, this.#wanted(now, metric)));
    return this.replicas;
  }

  /** @param {number} now @param {number} metric */
  #wanted(now, metric) {
    const { threshold, min, max, downStableSeconds } = this.rules;
    const ratio = metric / (threshold * this.replicas);
    const isNear = Math.abs(ratio - 1) <= tolerance;
    const wish = isNear ? this.replicas : Math.ceil(metric / threshold);
    const wanted = Math.min(max, Math.max(min, 1, wish));
    this.wishes = this.wishes.filter(({ at }) => now - at < downStableSeconds);
    this.wishes.push({ at: now, wanted });
    if (wanted >= this.replicas) return wanted;
    return Math.min(this.replicas, Math.max(...this.wishes.map((wish) => wish.wanted)));
  }

  /** What the policies allow of it: the one that allows most counts. @param {number} now @param {number} wanted */
  #within(now, wanted) {
    const { up, down } = this.rules;
    const isUp = wanted > this.replicas;
    const limits = (isUp ? up : down).map(({ type, value, periodSeconds }) => {
      const before = this.#atSince(now - periodSeconds);
      const change = type === 'Pods' ? value : Math.ceil((before * value) / 100);
      return isUp ? before + change : before - change;
    });
    if (limits.length === 0) return wanted;
    return isUp ? Math.min(wanted, Math.max(...limits)) : Math.max(wanted, Math.min(...limits), 0);
  }

  /** Workers at a time. @param {number} at */
  #atSince(at) {
    return (
      this.history.findLast((each) => each.at <= at)?.replicas ?? this.history[0]?.replicas ?? 0
    );
  }

  /** @param {number} now @param {number} replicas */
  #set(now, replicas) {
    this.replicas = replicas;
    this.history.push({ at: now, replicas });
    // The first one stands for all before it.
    while (this.history.length > 1 && now - (this.history[1]?.at ?? now) > remembered) {
      this.history.shift();
    }
  }
}

/**
 * By drain time: as many workers as it takes to have all of it done in time. By the deadline of each
 * run; of runs without one, the work there was ÷ the seconds in which it is to be done. As there
 * was: of what is left alone, a pool makes itself smaller as it works, and halves what is left again
 * and again.
 *
 * @param {Rules} rules
 */
export function byDrainTime(rules) {
  const autoscaler = new Autoscaler(rules);
  /** @type {{ at: number, secondsLeft: number }[]} falling: what may yet be the most */
  let most = [];
  return {
    look(/** @type {number} */ now, /** @type {Work} */ { runs }) {
      const secondsLeft = sumOf(
        runs.filter(({ deadlineSeconds }) => deadlineSeconds === undefined),
      );
      most = most.filter((each) => each.secondsLeft > secondsLeft);
      most.push({ at: now, secondsLeft });
      while (now - (most[0]?.at ?? now) > rules.drainSeconds) most.shift();
      const undated = secondsLeft > 0 ? (most[0]?.secondsLeft ?? 0) / rules.drainSeconds : 0;
      return autoscaler.look(now, undated + workersByDeadline(rules.deadline, runs, now));
    },
  };
}

/** @param {Rules['deadline']} rules @param {Work['runs']} runs @param {number} now */
function workersByDeadline({ factor, marginSeconds, leastSeconds }, runs, now) {
  let workers = 0;
  for (const { deadlineSeconds, secondsLeft } of runs) {
    if (deadlineSeconds === undefined) continue;
    const seconds = Math.max(leastSeconds, deadlineSeconds - marginSeconds - now);
    workers += (factor * secondsLeft) / seconds;
  }
  return workers;
}

/** By what is left alone. @param {Rules} rules */
export function byWorkLeft(rules) {
  const autoscaler = new Autoscaler(rules);
  return {
    look: (/** @type {number} */ now, /** @type {Work} */ { runs }) =>
      autoscaler.look(now, sumOf(runs) / rules.drainSeconds),
  };
}

/** @param {Work['runs']} runs */
const sumOf = (runs) => runs.reduce((sum, { secondsLeft }) => sum + secondsLeft, 0);

/** By the length of the queue, as is often done. @param {Rules} rules @param {number} batches a worker */
export function byQueueLength(rules, batches) {
  const autoscaler = new Autoscaler({ ...rules, threshold: batches });
  return {
    look: (/** @type {number} */ now, /** @type {Work} */ { batchesWaiting }) =>
      autoscaler.look(now, batchesWaiting),
  };
}

/** As many workers always. @param {number} workers */
export const always = (workers) => ({ look: () => workers });
