/** MobileNetV2 once more, with the loops written out. Slow, and independent of what ships. */
import type { WeightArrays } from '@cutline/captioner';

interface FeatureMap {
  height: number;
  width: number;
  channels: number;
  /** `[H,W,C]` */
  data: Float64Array;
}

/** One normalised image → `[L,D]`. `stages` as in the paper's table 2. */
export function referenceMobileNetV2(
  weights: WeightArrays,
  stages: readonly (readonly number[])[],
  image: FeatureMap,
): Float64Array {
  const convolve = (x: FeatureMap, name: string, stride: number, linear = false) => {
    const kernel = weights.get(`${name}.kernel`);
    const bias = weights.get(`${name}.bias`);
    if (!kernel || !bias) throw new Error(`no layer '${name}'`);
    const [side, , inputs, outputs] = kernel.shape as [number, number, number, number];
    const depthwise = name.endsWith('depthwise');
    const channels = depthwise ? inputs : outputs;
    const padding = side === 3 ? 1 : 0;
    const height = Math.floor((x.height + 2 * padding - side) / stride) + 1;
    const width = Math.floor((x.width + 2 * padding - side) / stride) + 1;
    const data = new Float64Array(height * width * channels);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        for (let channel = 0; channel < channels; channel++) {
          let total = bias.data[channel] as number;
          for (let dy = 0; dy < side; dy++) {
            for (let dx = 0; dx < side; dx++) {
              const [y, z] = [row * stride + dy - padding, column * stride + dx - padding];
              if (y < 0 || z < 0 || y >= x.height || z >= x.width) continue;
              const pixel = (y * x.width + z) * x.channels;
              const tap = dy * side + dx;
              if (depthwise) {
                const weight = kernel.data[tap * inputs + channel] as number;
                total += (x.data[pixel + channel] as number) * weight;
                continue;
              }
              for (let input = 0; input < inputs; input++) {
                const weight = kernel.data[(tap * inputs + input) * outputs + channel] as number;
                total += (x.data[pixel + input] as number) * weight;
              }
            }
          }
          const value = linear ? total : Math.min(6, Math.max(0, total));
          data[(row * width + column) * channels + channel] = value;
        }
      }
    }
    return { height, width, channels, data };
  };

  let x = convolve(image, 'stem', 2);
  let block = 0;
  for (const [t, c, n, s] of stages as [number, number, number, number][]) {
    for (let repeat = 0; repeat < n; repeat++, block++) {
      const stride = repeat === 0 ? s : 1;
      const expanded = t === 1 ? x : convolve(x, `block${block}.expand`, 1);
      const filtered = convolve(expanded, `block${block}.depthwise`, stride);
      const projected = convolve(filtered, `block${block}.project`, 1, true);
      if (stride === 1 && x.channels === c) {
        for (const [i, value] of x.data.entries())
          projected.data[i] = (projected.data[i] ?? 0) + value;
      }
      x = projected;
    }
  }
  return convolve(x, 'head', 1).data;
}
