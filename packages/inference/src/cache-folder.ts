import { homedir } from 'node:os';
import { join } from 'node:path';

/** What Cutline keeps for a user: `$XDG_CACHE_HOME/cutline`, or `~/.cache/cutline`. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cutline');
}
