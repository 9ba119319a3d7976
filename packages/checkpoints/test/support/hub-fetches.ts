/** Fetches from a hub of a test's own, with pauses that tests have time for. */
import { readFile } from 'node:fs/promises';
import { fetchSnapshot, type HubPatience, type SnapshotRequest } from '@cutline/checkpoints/hub';
import { UserError } from '@cutline/shared/errors';
import { expect } from 'vitest';
import { temporaryFolder } from './checkpoint-folder.ts';
import type { FakeFile, FakeHub } from './fake-hub.ts';

/** Not the same everywhere, and not compressible. */
export function contents(bytes: number, seed = 1): Buffer {
  let state = seed;
  const buffer = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    buffer[i] = state >>> 24;
  }
  return buffer;
}

export const config: FakeFile = { contents: Buffer.from('{"model_type": "blip"}\n') };
export const weights: FakeFile = { contents: contents(600_000), isLarge: true };
export const files = { 'config.json': config, 'model.safetensors': weights };

export const quick: HubPatience = {
  triesMax: 4,
  pauseMsMin: 5,
  pauseMsMax: 20,
  retryAfterMsMax: 2000,
  stallMs: 5000,
};

export interface Fetching extends Partial<Omit<SnapshotRequest, 'settings'>> {
  hub: FakeHub;
  token?: string;
  isOffline?: boolean;
  cacheFolder?: string;
}

export async function fetchFrom({ hub, token, isOffline = false, ...request }: Fetching) {
  const cacheFolder = request.cacheFolder ?? (await temporaryFolder());
  return fetchSnapshot({
    repo: 'org/model',
    wanted: () => true,
    ...request,
    patience: { ...quick, ...request.patience },
    settings: { endpoint: hub.endpoint, isOffline, cacheFolder, ...(token && { token }) },
  });
}

/** Byte for byte. */
export async function expectContents(path: string, expected: Buffer): Promise<void> {
  const found = await readFile(path);
  expect(found.length, path).toBe(expected.length);
  // Comparing large buffers with toEqual takes seconds.
  expect(found.equals(expected), `${path} as it was published`).toBe(true);
}

/** That it fails with one line for a person. */
export async function expectRefusal(fetching: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await fetching.catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toMatch(/\p{Cc}/u);
}
