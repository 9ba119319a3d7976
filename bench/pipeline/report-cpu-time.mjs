// @ts-check

/**
 * Preloaded (`node --import`) into a program: writes its CPU seconds to descriptor 3 as it ends,
 * from its first connection on. What it takes to load the program is no part of a run: nor is it
 * counted of workers, or of one process. So the libraries that programs load only when they connect
 * are loaded here.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';

for (const [library, user] of [
  ['bullmq', '@cutline/pipeline'],
  ['@aws-sdk/client-s3', '@cutline/shared/stores'],
]) {
  createRequire(import.meta.resolve(user ?? ''))(library ?? '');
}

const connections = 'net.client.socket';

/** @type {NodeJS.CpuUsage | undefined} */
let loaded;
const connect = () => {
  loaded = process.cpuUsage();
  unsubscribe(connections, connect);
};
subscribe(connections, connect);

process.once('exit', () => {
  const { user, system } = process.cpuUsage(loaded);
  writeSync(3, String((user + system) / 1e6));
});
