/** The table of decoder families: a new one is a file that defines it and a line here. */

import { blip } from './blip.ts';
import type { DecoderFamily } from './decoder-family.ts';
import { git } from './git.ts';
import { gpt2 } from './gpt2.ts';
import { lrcn } from './lrcn.ts';
import { showAndTell } from './show-and-tell.ts';
import { showAttendTell } from './show-attend-tell.ts';

// biome-ignore lint/suspicious/noExplicitAny: each family checks its own sizes with its schema
export const decoderFamilies: ReadonlyMap<string, DecoderFamily<any>> = new Map(
  [showAndTell, lrcn, showAttendTell, blip, gpt2, git].map((family) => [family.name, family]),
);
