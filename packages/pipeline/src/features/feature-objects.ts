import { getIfThere, sha256 } from '@cutline/shared/run';
import { type ObjectStore, type PatientWorld, patientStore } from '@cutline/shared/stores';

/** What features have in common that are objects of a store, whether in flight or kept. */

/**
 * The store, with an outage sat out for a while before the batch is given back: features took their
 * time to compute, but a worker that is told to stop has half a minute.
 */
export function patientWithFeatures(store: ObjectStore, world: PatientWorld): ObjectStore {
  return patientStore(store, world, { deadlineMs: 15_000 });
}

/** The object's bytes; undefined where there is none. */
export async function readIfThere(store: ObjectStore, key: string): Promise<Buffer | undefined> {
  return (await getIfThere(store, key))?.bytes;
}

/**
 * SHA-256 in hexadecimal digits. Of megabytes it is computed beside the event loop; of less at once,
 * which takes no longer than handing them over (and leaves the simulator's order to its seed).
 */
export async function hashOf(bytes: Uint8Array): Promise<string> {
  if (bytes.byteLength <= atOnceBytesMax) return sha256(bytes);
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Buffer.from(digest).toString('hex');
}

const atOnceBytesMax = 64 * 1024;
