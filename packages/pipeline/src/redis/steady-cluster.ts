import type { Cluster } from 'ioredis';

/**
 * Has `connect` of a cluster's client resolve once it is connected, at the first try or later. That
 * of ioredis 6.0 never settles where the cluster says that it is not whole, as during a failover:
 * the client is ready seconds later, and whoever awaits it, BullMQ for one, hangs for ever.
 *
 * @param cluster that is not connected yet; its duplicates will be like it
 */
export function steady(cluster: Cluster): Cluster {
  const connect = cluster.connect.bind(cluster);
  const duplicate = cluster.duplicate.bind(cluster);
  // All tries wait for the same: ioredis calls `connect` again with each, for as long as an outage
  // lasts, and what each would listen for by itself would stay until its end.
  let connected: Promise<void> | undefined;
  cluster.connect = () => {
    connected ??= untilReady(cluster).finally(() => {
      connected = undefined;
    });
    return Promise.race([connect(), connected]);
  };
  cluster.duplicate = (...args) => steady(duplicate(...args));
  return cluster;
}

function untilReady(cluster: Cluster): Promise<void> {
  return new Promise((resolve, reject) => {
    const onReady = () => {
      cluster.off('end', onEnd);
      resolve();
    };
    const onEnd = () => {
      cluster.off('ready', onReady);
      reject(new Error('Connection is closed.'));
    };
    cluster.once('ready', onReady).once('end', onEnd);
  });
}
