/**
 * Makes the bundle that ships with the project, models/mobilenet-v2-show-attend-tell-broad, from a
 * folder with mobilenet-v2.safetensors, decoder-broad.safetensors and vocabulary-broad.txt:
 *
 *     npm run build
 *     node scripts/make-broad-bundle.mjs <weights-folder>
 *
 * Weights are rounded to float16, which halves what everyone downloads; the card, which is not made
 * here, says what that changes. The same weights give the same bytes, and so the same model id.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const name = 'mobilenet-v2-show-attend-tell-broad';
const target = fileURLToPath(new URL(`../models/${name}`, import.meta.url));

const weightsFolder = process.argv[2];
if (!weightsFolder) stop('usage: node scripts/make-broad-bundle.mjs <weights-folder>');
const captioner = await import('@cutline/captioner').catch(() =>
  stop('@cutline/captioner is not built; run: npm run build'),
);

// The decoder's projection is computed by the encoder, and so belongs to its weights.
const isProjection = ([tensor]) => tensor.startsWith('annotation.');
const cnn = await readSafetensors('mobilenet-v2.safetensors');
const lstm = await readSafetensors('decoder-broad.safetensors');
const encoder = new Map([...cnn, ...[...lstm].filter(isProjection)]);
const decoder = new Map([...lstm].filter((entry) => !isProjection(entry)));
const vocabulary = captioner.parseWordList(
  await read('vocabulary-broad.txt'),
  'vocabulary-broad.txt',
);

const parts = {
  description: {
    name,
    description:
      'MobileNetV2 and an attention LSTM, small and for trying things out; knows people, dogs and ' +
      'sport, and something of landscapes, plants, buildings, vehicles and animals',
    encoder: { family: 'mobilenet-v2', sizes: captioner.mobileNetV2Sizes },
    decoder: {
      family: 'show-attend-tell',
      sizes: { annotation: 512, attention: 256, embedding: 300, hidden: 512 },
    },
    preprocessing: {
      width: 224,
      height: 224,
      fit: 'squash',
      kernel: 'cubic',
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    },
    features: { cut: 'projection', shape: [49, 512], dtype: 'float16' },
    decoding: {
      beamSize: 5,
      candidates: 5,
      lengthPenalty: 0.7,
      lengthMax: 16,
      lengthMin: 0,
      noRepeatNgram: 0,
      attention: false,
    },
    licence: {
      encoder: "Apache-2.0 (MobileNetV2); of the projection in its file, the decoder's",
      decoder:
        'LicenseRef-Research: for research and education only; derives from Flickr8k and other data ' +
        'sets that are for research, or whose terms are unclear (see the card)',
    },
    provenance: {
      encoder:
        "ImageNet weights of the ONNX model zoo's mobilenetv2-7, batch normalisation folded into " +
        'kernels and biases, classifier removed; rounded to float16',
      decoder:
        'trained by maximum likelihood over the frozen encoder: 13 epochs on Flickr8k train, then 7 ' +
        'on that and on 10,769 pictures (Scene-15, Caltech-101, Natural Images, PACS, crops of ' +
        'ImageNet, COCO-MINI), of which all but COCO-MINI have templates for their labels as ' +
        'captions; half of all in grey; captions lower-cased, at most 16 words; rounded to float16',
    },
    // Of the weights before rounding; the card has those of what ships, as far as they were measured.
    scores: [
      score('dev', 5, [60.4, 42.1, 28.7, 19.1, 44.6]),
      score('test', 5, [60.1, 41.9, 28.4, 19.1, 48.4]),
    ],
  },
  encoder,
  decoder,
  vocabulary,
};
const files = captioner.formatModelBundle(parts, 'float16');

await mkdir(target, { recursive: true });
for (const [file, bytes] of files) await writeFile(join(target, file), bytes);
const { id } = captioner.parseModelBundle(files);
console.log(`${target}\n${id}`);

function score(split, beamSize, [bleu1, bleu2, bleu3, bleu4, ciderD]) {
  const metrics = {
    'BLEU-1': bleu1,
    'BLEU-2': bleu2,
    'BLEU-3': bleu3,
    'BLEU-4': bleu4,
    'CIDEr-D': ciderD,
  };
  return { dataset: 'Flickr8k', split, beamSize, metrics };
}

async function readSafetensors(file) {
  return captioner.parseSafetensors(await read(file), file);
}

async function read(file) {
  return readFile(join(weightsFolder, file)).catch((error) =>
    stop(`cannot read ${join(weightsFolder, file)}: ${error.message}`),
  );
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
