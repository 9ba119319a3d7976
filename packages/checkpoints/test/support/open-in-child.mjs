// @ts-check
/**
 * Opens a checkpoint in a process of its own, whose memory a test may limit, and reads tensors.
 *
 *     node open-in-child.mjs <folder> [name …]
 *
 * Writes one JSON line: either what was read, or what was said instead.
 */
import { openCheckpoint } from '@cutline/checkpoints/weights';

const [folder = '', ...names] = process.argv.slice(2);
try {
  const checkpoint = await openCheckpoint(folder);
  const counts = [];
  for (const name of names) counts.push((await checkpoint.read(name)).data.length);
  await checkpoint.close();
  report({ counts, tensors: checkpoint.tensors.size });
} catch (error) {
  const { name, message } = /** @type {Error} */ (error);
  report({ error: name, message });
}

/** @param {object} outcome */
function report(outcome) {
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(JSON.stringify({ ...outcome, peakBytes }));
}
