/** The table of encoder families: a new CNN is a file that defines it and a line here. */
import type { EncoderFamily } from './encoder-family.ts';
import { mobileNetV2 } from './mobilenet-v2.ts';
import { vit } from './vit.ts';

// biome-ignore lint/suspicious/noExplicitAny: each family checks its own sizes with its schema
export const encoderFamilies: ReadonlyMap<string, EncoderFamily<any>> = new Map(
  [mobileNetV2, vit].map((family) => [family.name, family]),
);
