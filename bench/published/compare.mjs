// @ts-check

/**
 * Published captioners here and under transformers and PyTorch: the same random weights in the
 * published configuration, float32 on both sides, the same images, all cores. docs/MODELS.md has
 * the table.
 *
 *     node bench/published/compare.mjs <folder for checkpoints and bundles> <python> [names]
 *
 * The Python needs torch and transformers. The folder keeps what is made (2 to 4 GB a captioner).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare } from '../contenders/compare-captions.mjs';
import { subject } from '../contenders/measure-stages.mjs';
import { startContender } from '../contenders/start-contenders.mjs';
import { describeMachine, versions } from '../describe-machine.mjs';
import { interleave } from '../interleave.mjs';
import { makeImages } from '../make-images.mjs';
import { formatTable } from '../print-results.mjs';
import { summarise } from '../statistics.mjs';
import { bundleOf } from './bundle-of.mjs';

/** @import { Contender, ContenderRequest } from '../contenders/start-contenders.mjs' */

/** Of one stage, and from files to captions. */
const counts = { stage: 32, caption: 16 };
const rounds = 2;
const batchSize = 8;
/** What suits one side may not suit the other. */
const decodeBatches = [8, 32];
/** Of the search: just so many tokens, so that both sides take as many steps. */
const search = { beamSize: 3, words: 12 };

const [folder, python, names = 'blip-base,vit-gpt2,git-base-coco'] = process.argv.slice(2);
if (folder === undefined || python === undefined) {
  process.stderr.write('node bench/published/compare.mjs <folder> <python> [names]\n');
  process.exit(2);
}
const machine = describeMachine();
process.stdout.write(`${machine.cpu}, ${machine.cores} cores; `);
process.stdout.write(`${Object.entries(versions()).flat().join(' ')}\n`);
const images = await mkdtemp(join(tmpdir(), 'cutline-bench-'));
const stageImages = join(images, 'stage');
const captionImages = join(images, 'caption');
await makeImages(stageImages, counts.stage);
await makeImages(captionImages, counts.caption);
for (const name of names.split(',')) await measure(name, await bundleOf(folder, name));
await rm(images, { recursive: true });

/** @param {string} name @param {{ checkpoint: string, bundle: string }} made */
async function measure(name, { checkpoint, bundle }) {
  const given = [stageImages, String(counts.stage)];
  const ours = [pathTo('../contenders/backend.mjs'), ...given, 'onnx', bundle];
  const theirs = ['-B', pathTo('./transformers_peer.py'), ...given, checkpoint];
  const contenders = [
    await start('transformers', python ?? '', theirs),
    await start('cutline', process.execPath, ours),
  ];
  for (const { name, description } of contenders) process.stdout.write(`${name}: ${description}\n`);
  /** @type {(ContenderRequest & { title: string })[]} */
  const requests = [
    { title: 'pixels → features', task: 'encode', secondsMin: 0, batchSize },
    ...decodeBatches.map((batchSize) => {
      const title = `features → captions, batch ${batchSize}`;
      return { title, task: 'decode', secondsMin: 0, batchSize, ...search };
    }),
  ];
  const caption = { task: 'caption', secondsMin: 0, folder: captionImages, batchSize, ...search };
  requests.push({ title: 'files → captions', ...caption });
  for (const { title, ...request } of requests) {
    const subjects = contenders.map((contender) => subject(contender, request));
    const results = summarise(await interleave(subjects, rounds));
    const table = { id: `${name}:${request.task}`, title: `\n${name}, ${title}`, results };
    process.stdout.write(formatTable(table));
  }
  await agree(contenders, caption);
  for (const { stop } of contenders) await stop();
}

/** @param {Contender[]} contenders @param {ContenderRequest} request */
async function agree(contenders, request) {
  const said = [];
  for (const { run } of contenders) said.push((await run(request)).captions ?? {});
  const { images, same, scoreDifference, tieDifference } = compare(said[0] ?? {}, said[1] ?? {});
  process.stdout.write(
    `\nThe same captions for ${same} of ${images} images; scores differ by ` +
      `${scoreDifference.toFixed(5)} at most, where captions do by ${tieDifference.toFixed(5)}.\n\n`,
  );
}

/** @param {string} name @param {string} command @param {string[]} args */
async function start(name, command, args) {
  const started = await startContender({ name, command, args });
  if ('reason' in started) throw new Error(`${name}: ${started.reason}`);
  return started;
}

/** @param {string} path */
function pathTo(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
