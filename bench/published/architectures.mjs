// @ts-check

/**
 * Published captioners, as far as their speed depends on them: what their config.json and
 * preprocessor_config.json say. Names are those that `cutline model add` would give them.
 *
 * @typedef {object} Vision
 * @property {number} width
 * @property {number} layers
 * @property {number} heads
 * @property {number} inner
 * @property {number} patch
 * @property {number} image its side, in pixels
 *
 * @typedef {object} Text
 * @property {number} width
 * @property {number} layers
 * @property {number} heads
 * @property {number} inner
 * @property {number} positions
 * @property {number} vocabulary
 *
 * @typedef {object} Architecture
 * @property {'blip' | 'vit-gpt2' | 'git'} family
 * @property {string} repository
 * @property {Vision} vision
 * @property {Text} text
 */

const base = { width: 768, layers: 12, heads: 12, inner: 3072 };
const large = { width: 1024, layers: 24, heads: 16, inner: 4096 };

/** @type {Record<string, Architecture>} */
export const architectures = {
  'blip-base': {
    family: 'blip',
    repository: 'Salesforce/blip-image-captioning-base',
    vision: { ...base, patch: 16, image: 384 },
    text: { ...base, positions: 512, vocabulary: 30524 },
  },
  'blip-large': {
    family: 'blip',
    repository: 'Salesforce/blip-image-captioning-large',
    vision: { ...large, patch: 16, image: 384 },
    text: { ...base, positions: 512, vocabulary: 30524 },
  },
  'vit-gpt2': {
    family: 'vit-gpt2',
    repository: 'nlpconnect/vit-gpt2-image-captioning',
    vision: { ...base, patch: 16, image: 224 },
    text: { ...base, positions: 1024, vocabulary: 50257 },
  },
  'git-base-coco': {
    family: 'git',
    repository: 'microsoft/git-base-coco',
    vision: { ...base, patch: 16, image: 224 },
    text: { ...base, layers: 6, positions: 1024, vocabulary: 30522 },
  },
  'git-large-coco': {
    family: 'git',
    repository: 'microsoft/git-large-coco',
    vision: { ...large, patch: 14, image: 224 },
    text: { ...base, layers: 6, positions: 1024, vocabulary: 30522 },
  },
};

const tinyVision = { width: 24, layers: 2, heads: 3, inner: 40, patch: 16, image: 32 };
const tinyText = { width: 16, layers: 3, heads: 2, inner: 24, positions: 32, vocabulary: 120 };

/**
 * The same at a size at which every number can be checked: tests make them, as the reference did for
 * what it says of them (packages/captioner/test/fixtures).
 *
 * @type {Record<string, Architecture>}
 */
export const tinyArchitectures = {
  'tiny-blip': { family: 'blip', repository: '', vision: tinyVision, text: tinyText },
  'tiny-vit-gpt2': { family: 'vit-gpt2', repository: '', vision: tinyVision, text: tinyText },
  'tiny-git': { family: 'git', repository: '', vision: tinyVision, text: tinyText },
};
