/** The three forms in which vision transformers are published, as the encoder `vit`. */
import type { VitSizes } from '../encoders/vit.ts';
import type { PreprocessingSpec } from '../model-description.ts';
import type { PublishedWeights } from './published-weights.ts';

/** How the parts of a published vision transformer are called. */
export interface VitNames {
  class: string;
  position: string;
  patch: string;
  before?: string;
  after: string;
  layer: (layer: number) => {
    attentionNorm: string;
    /** Three layers, or one that is all of them. */
    queryKeyValue: readonly [string, string, string] | string;
    output: string;
    feedNorm: string;
    inner: string;
    outer: string;
  };
}

/** What configurations call `hidden_act`. */
export const gelus = {
  gelu: 'gelu',
  quick_gelu: 'gelu-sigmoid',
} as const;

/** Of a configuration, what a vision transformer is made of. */
export interface VitConfig {
  hidden_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  intermediate_size: number;
  patch_size: number;
  image_size: number;
  layer_norm_eps: number;
  hidden_act: keyof typeof gelus;
}

export function vitSizes(
  config: VitConfig,
  { width, height }: PreprocessingSpec,
  {
    normBefore,
    imageSize = config.image_size,
  }: { normBefore: boolean; imageSize: number | undefined },
): VitSizes {
  if (width !== imageSize || height !== imageSize) {
    throw new Error(
      `images are resized to ${width}×${height} pixels, and the encoder takes ` +
        `${imageSize}×${imageSize}`,
    );
  }
  const { patch_size: patch } = config;
  const side = Math.floor(imageSize / patch);
  if (side * patch !== imageSize) {
    throw new Error(
      `images of ${imageSize} pixels cannot be cut into patches of ${patch}: ` +
        `${Math.max(side, 1) * patch} and ${(side + 1) * patch} pixels can`,
    );
  }
  return {
    patch,
    grid: [side, side],
    width: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    inner: config.intermediate_size,
    gelu: gelus[config.hidden_act],
    normBefore,
    epsilon: config.layer_norm_eps,
  };
}

export async function takeVit(
  weights: PublishedWeights,
  { width, layers, grid }: VitSizes,
  config: VitConfig,
  names: VitNames,
): Promise<void> {
  await weights.convolution(names.patch, 'patch');
  await weights.take(names.class, 'class', [1, 1, width]);
  const side = Math.floor(config.image_size / config.patch_size); // that it was trained on
  await weights.positions(names.position, 'position', { side, channels: width, grid });
  if (names.before) await weights.norm(names.before, 'before');
  for (let layer = 0; layer < layers; layer++) {
    const { queryKeyValue, ...from } = names.layer(layer);
    const own = (part: string) => `layer${layer}.${part}`;
    const parts = ['query', 'key', 'value'].map((part) => own(`attention.${part}`));
    if (typeof queryKeyValue === 'string') await weights.linears(queryKeyValue, parts);
    else {
      for (const [index, part] of parts.entries()) {
        await weights.linear(queryKeyValue[index] as string, part);
      }
    }
    await weights.norm(from.attentionNorm, own('attention.norm'));
    await weights.linear(from.output, own('attention.output'));
    await weights.norm(from.feedNorm, own('feed.norm'));
    await weights.linear(from.inner, own('feed.inner'));
    await weights.linear(from.outer, own('feed.outer'));
  }
  await weights.norm(names.after, 'norm');
}
