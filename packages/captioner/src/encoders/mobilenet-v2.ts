/**
 * MobileNetV2: inverted residuals and linear bottlenecks (Sandler et al. 2018,
 * https://arxiv.org/abs/1801.04381), as an encoder: everything before the global pooling, so
 * that a decoder can attend over the locations of the last feature map.
 *
 *     stem     3×3, stride 2                        [B,H/2,W/2,32]
 *     blocks   17 inverted residuals (table 2)      [B,H/32,W/32,320]
 *     head     1×1                                  [B,H/32,W/32,1280]
 *
 * Batch normalisation is folded into kernels and biases. Padding is 1 on every side of a 3×3
 * convolution, also with stride 2: the weights come from PyTorch's lineage, and TensorFlow's
 * "same" would shift the grid by half a pixel at each of the five reductions.
 */
import { z } from 'zod';
import type { TensorOps } from '../tensor-ops.ts';
import { biasSpec, type ParameterSpec, type Weights } from '../weights.ts';
import type { EncoderFamily } from './encoder-family.ts';

const size = z.int().positive();

const sizesSchema = z.strictObject({
  /** Channels of the stem: 32 in the paper. */
  stem: size,
  /** Rows of table 2: expansion t, channels c, repeats n, stride s of the first repeat. */
  stages: z.array(z.tuple([size, size, size, z.union([z.literal(1), z.literal(2)])])).min(1),
  /** Channels of the head, and so of the feature map: 1280 in the paper. */
  head: size,
});

export type MobileNetV2Sizes = z.infer<typeof sizesSchema>;

/** Table 2 of the paper, width multiplier 1. */
export const mobileNetV2Sizes: MobileNetV2Sizes = {
  stem: 32,
  stages: [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ],
  head: 1280,
};

export const mobileNetV2: EncoderFamily<MobileNetV2Sizes> = {
  name: 'mobilenet-v2',
  sizesSchema,
  // Of 1, 8, 16, 32 images, one takes 4.9, 5.0, 5.5, 5.6 ms with ONNX Runtime, and 20 MB of memory.
  deviceBatch: 8,

  encode<T>(ops: TensorOps<T>, weights: Weights<T>, sizes: MobileNetV2Sizes, images: T): T {
    const layer = (name: string) => ({
      kernel: weights.get(`${name}.kernel`),
      bias: weights.get(`${name}.bias`),
    });
    const pointwise = (x: T, name: string, activation?: 'relu6') => {
      const { kernel, bias } = layer(name);
      return ops.conv2d(x, kernel, { bias, ...(activation && { activation }) });
    };

    const stem = layer('stem');
    let x = ops.conv2d(images, stem.kernel, {
      bias: stem.bias,
      stride: 2,
      padding: 1,
      activation: 'relu6',
    }); // [B,H/2,W/2,32]

    for (const block of blocksOf(sizes)) {
      const expanded = block.expands ? pointwise(x, `${block.name}.expand`, 'relu6') : x;
      const { kernel, bias } = layer(`${block.name}.depthwise`);
      const filtered = ops.depthwiseConv2d(expanded, kernel, {
        bias,
        stride: block.stride,
        padding: 1,
        activation: 'relu6',
      });
      const projected = pointwise(filtered, `${block.name}.project`); // linear: section 3.2
      x = block.residual ? ops.add(x, projected) : projected;
    }

    return pointwise(x, 'head', 'relu6'); // [B,H/32,W/32,1280]
  },

  parameters(sizes) {
    const specs: Record<string, ParameterSpec> = {};
    const convolution = (name: string, shape: readonly [number, number, number, number]) => {
      const [height, width, inputs, outputs] = shape;
      // He et al. 2015, eq. 10, as a uniform distribution of the same variance.
      specs[`${name}.kernel`] = { shape, limit: Math.sqrt(6 / (height * width * inputs)) };
      specs[`${name}.bias`] = biasSpec(outputs);
    };
    const depthwise = (name: string, channels: number) => {
      specs[`${name}.kernel`] = { shape: [3, 3, channels, 1], limit: Math.sqrt(6 / 9) };
      specs[`${name}.bias`] = biasSpec(channels);
    };

    convolution('stem', [3, 3, 3, sizes.stem]);
    let last = sizes.stem;
    for (const block of blocksOf(sizes)) {
      const width = block.inputs * block.expansion;
      if (block.expands) convolution(`${block.name}.expand`, [1, 1, block.inputs, width]);
      depthwise(`${block.name}.depthwise`, width);
      convolution(`${block.name}.project`, [1, 1, width, block.outputs]);
      last = block.outputs;
    }
    convolution('head', [1, 1, last, sizes.head]);
    return specs;
  },

  featureMapShape(sizes, height, width) {
    const reductions = [2, ...blocksOf(sizes).map((block) => block.stride)];
    const reduce = (pixels: number) =>
      reductions.reduce((length, stride) => Math.ceil(length / stride), pixels);
    return [reduce(height) * reduce(width), sizes.head];
  },
};

interface Block {
  name: string;
  inputs: number;
  outputs: number;
  expansion: number;
  /** With t = 1 there is nothing to expand, and the layer is absent. */
  expands: boolean;
  stride: number;
  /** The input is added where shapes allow it: stride 1 and as many channels. */
  residual: boolean;
}

function blocksOf({ stem, stages }: MobileNetV2Sizes): Block[] {
  const blocks: Block[] = [];
  let inputs = stem;
  for (const [expansion, outputs, repeats, firstStride] of stages) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const stride = repeat === 0 ? firstStride : 1;
      blocks.push({
        name: `block${blocks.length}`,
        inputs,
        outputs,
        expansion,
        expands: expansion !== 1,
        stride,
        residual: stride === 1 && inputs === outputs,
      });
      inputs = outputs;
    }
  }
  return blocks;
}
