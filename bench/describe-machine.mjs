// @ts-check

import { readFileSync } from 'node:fs';
import os from 'node:os';

/** What the numbers were measured on, and with. */
export function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    platform: `${os.platform()} ${os.release()} ${os.arch()}`,
    /** Of the last minute, before anything is measured: others who use the machine. */
    loadBefore: os.loadavg()[0] ?? 0,
  };
}

/** @returns {Record<string, string>} */
export function versions() {
  return {
    node: process.versions.node,
    ...packageVersions(['onnxruntime-node', '@tensorflow/tfjs-core', 'sharp', 'bullmq']),
  };
}

/** @param {string[]} names */
function packageVersions(names) {
  return Object.fromEntries(
    names.flatMap((name) => {
      try {
        const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
        return [[name, String(JSON.parse(readFileSync(manifest, 'utf8')).version)]];
      } catch {
        return []; // not installed
      }
    }),
  );
}
