import type { AbstractConnector } from 'ioredis';

/**
 * Has the connectors of ioredis end a connection once. ioredis 6.0 asks for it with every reply that
 * calls for another connection (`reconnectOnError`), and each time its connector adds a listener and
 * a timer: as many as there were commands under way to a server that is a replica now.
 */
export function endOnce({ prototype }: typeof AbstractConnector): void {
  const disconnect = prototype.disconnect;
  const ending = new WeakSet<object>();
  prototype.disconnect = function (this: AbstractConnector): void {
    const { stream } = this as unknown as { stream?: object };
    if (stream && ending.has(stream)) return;
    if (stream) ending.add(stream);
    disconnect.call(this);
  };
}
