import { basename, join, resolve } from 'node:path';
import { isFile, readJson, readText } from '@cutline/checkpoints/files';
import { fetchSnapshot, type SnapshotRequest } from '@cutline/checkpoints/hub';
import { openCheckpoint, weightFiles } from '@cutline/checkpoints/weights';
import { assembleTokenizer, type PublishedCheckpoint } from '@cutline/inference';
import { describeError, UserError } from '@cutline/shared/errors';

/** Published checkpoints, in a folder or on the Hugging Face hub, in the form that is converted. */

export interface OpenedCheckpoint {
  checkpoint: PublishedCheckpoint;
  /** What the repository's card names, if it does. */
  licence: string | undefined;
  /** Where it comes from: the repository's page at its commit, or a folder. */
  provenance: string;
  /** Of the hub. */
  commit: string | undefined;
  close(): Promise<void>;
}

/** What is read besides weights; the first and the third have to be there. */
const settings = [
  'config.json',
  'generation_config.json',
  'preprocessor_config.json',
  'tokenizer_config.json',
  'tokenizer.json',
];

/** What older checkpoints have in place of tokenizer.json. */
const tokenizerParts = ['vocab.txt', 'vocab.json', 'merges.txt', 'added_tokens.json'] as const;

const small = [...settings, ...tokenizerParts];

/** `organisation/name`, which might be a folder, too: a folder that is there comes first. */
const repoName = /^[\w.-]+\/[\w.-]+$/;

/** @throws UserError for everything that a person has to put right */
export async function openPublished(
  source: string,
  request: Pick<SnapshotRequest, 'onProgress' | 'signal'> & { revision?: string | undefined },
): Promise<OpenedCheckpoint> {
  const folder = resolve(source);
  if (await isFile(join(folder, 'config.json'))) {
    return { ...(await openFolder(folder)), ...local(folder) };
  }
  if (!repoName.test(source)) {
    throw new UserError(
      `There is no config.json in ${folder}. Give a folder with a published checkpoint, or a ` +
        'repository of the Hugging Face hub (organisation/name).',
    );
  }
  const { revision, ...rest } = request;
  const snapshot = await fetchCheckpoint(source, revision, rest);
  return {
    ...(await openFolder(snapshot.folder)),
    licence: snapshot.licence,
    provenance: `https://huggingface.co/${source} (${snapshot.commit})`,
    commit: snapshot.commit,
  };
}

function local(folder: string) {
  return {
    licence: undefined,
    provenance: `a folder named ${basename(folder)}`,
    commit: undefined,
  };
}

/** First the small files, which show which files hold the weights; then those. */
async function fetchCheckpoint(
  repo: string,
  revision: string | undefined,
  request: Pick<SnapshotRequest, 'onProgress' | 'signal'>,
) {
  const names = new Set<string>();
  const { signal } = request;
  const { commit } = await fetchSnapshot({
    repo,
    ...(revision !== undefined && { revision }),
    ...(signal && { signal }),
    wanted(name) {
      names.add(name);
      return small.includes(name);
    },
  });
  const weights = weightFiles.find((name) => names.has(name));
  if (!weights) {
    throw new UserError(
      `${repo} holds no weights that are known here: there is none of ${weightFiles.join(', ')}.`,
    );
  }
  const shard = weights.endsWith('.index.json') ? shardsOf(weights) : undefined;
  return fetchSnapshot({
    ...request,
    repo,
    revision: commit,
    wanted: (name) => small.includes(name) || name === weights || (shard?.test(name) ?? false),
  });
}

/** `model.safetensors.index.json` → what `model-00001-of-00003.safetensors` matches. */
function shardsOf(index: string): RegExp {
  const [stem, type] = index.split('.');
  return new RegExp(`^${stem}-\\d+-of-\\d+\\.${type}$`);
}

async function openFolder(folder: string) {
  const json = async (name: string) => {
    const path = join(folder, name);
    return (await isFile(path)) ? readJson(path) : undefined;
  };
  const tokenizerConfig = await json('tokenizer_config.json');
  const tokenizer = await readTokenizer(folder, tokenizerConfig);
  const weights = await openCheckpoint(folder);
  const checkpoint: PublishedCheckpoint = {
    config: await readJson(join(folder, 'config.json')),
    generation: await json('generation_config.json'),
    preprocessor: await readJson(join(folder, 'preprocessor_config.json')),
    tokenizer,
    tokenizerConfig,
    has: (tensor) => weights.tensors.has(tensor),
    read: (tensor) => weights.read(tensor),
  };
  return { checkpoint, close: () => weights.close() };
}

/** tokenizer.json, or what it would be: a vocabulary in older files says the same. */
async function readTokenizer(folder: string, config: unknown): Promise<Uint8Array> {
  const read = async (name: string) => {
    const path = join(folder, name);
    return (await isFile(path)) ? readText(path) : undefined;
  };
  const whole = await read('tokenizer.json');
  if (whole !== undefined) return Buffer.from(whole);
  const parts = await Promise.all(
    tokenizerParts.map(async (name) => [name, await read(name)] as const),
  );
  let assembled: Uint8Array | undefined;
  try {
    assembled = assembleTokenizer(Object.fromEntries(parts), config);
  } catch (cause) {
    throw new UserError(`${folder}: ${describeError(cause)}.`, { cause });
  }
  if (assembled) return assembled;
  throw new UserError(
    `${folder} has neither tokenizer.json nor vocab.txt, nor vocab.json with merges.txt. Save the ` +
      'checkpoint anew with its tokenizer (save_pretrained).',
  );
}
