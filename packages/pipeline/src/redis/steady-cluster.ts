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
  cluster.connect = () => untilReady(cluster, connect);
  cluster.duplicate = (...args) => steady(duplicate(...args));
  return cluster;
}

async function untilReady(cluster: Cluster, connect: () => Promise<void>): Promise<void> {
  let onReady = () => {};
  let onEnd = () => {};
  const settled = new Promise<void>((resolve, reject) => {
    onReady = resolve;
    onEnd = () => reject(new Error('Connection is closed.'));
  });
  cluster.once('ready', onReady).once('end', onEnd);
  try {
    await Promise.race([connect(), settled]);
  } finally {
    cluster.off('ready', onReady).off('end', onEnd);
  }
}
