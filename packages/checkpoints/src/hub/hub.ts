/** What all requests of one fetch have in common. */
import type { HubSettings } from './hub-settings.ts';

export interface HubPatience {
  /** How often something is tried without a byte of progress; at least 1, default 6. */
  triesMax: number;
  /** The pause after the first failure; it doubles from there. Default 500. */
  pauseMsMin: number;
  /** The longest of these pauses. Default 30,000. */
  pauseMsMax: number;
  /** The longest that a server's Retry-After is obeyed. Default 300,000. */
  retryAfterMsMax: number;
  /** A connection without a byte for as long is given up. Default 30,000. */
  stallMs: number;
}

export const defaultPatience: HubPatience = {
  triesMax: 6,
  pauseMsMin: 500,
  pauseMsMax: 30_000,
  retryAfterMsMax: 300_000,
  stallMs: 30_000,
};

export interface Hub {
  settings: HubSettings;
  patience: HubPatience;
  /** Ends everything: what is under way then fails with the signal's reason. */
  signal: AbortSignal;
}

/** For messages. */
export function hostOf({ settings }: Hub): string {
  return new URL(settings.endpoint).host;
}
