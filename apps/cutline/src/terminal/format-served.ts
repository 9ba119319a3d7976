import type { ServedModel } from '@cutline/inference';
import { formatCount, formatDollars, formatUsage } from './format.ts';
import { formatFields } from './format-model.ts';

/** What a model behind a server is, for a person. @param columns to wrap lines to */
export function formatServed(
  { id, description: model }: ServedModel,
  columns = Number.POSITIVE_INFINITY,
): string {
  const { server, image, prompt, answer, request, price, measured, licence } = model;
  const key = server.apiKeyVariable === null ? 'no key' : `the key in ${server.apiKeyVariable}`;
  const told = [
    request.temperature === null ? 'its own temperature' : 'temperature 0',
    request.seed === null ? 'no seed' : 'seed 0',
    request.logProbs ? 'log-probabilities' : 'no log-probabilities',
  ];
  const format = answer.format === 'json' ? 'JSON' : 'text';
  const fields: [string, string][] = [
    ['server', `${server.url}, with ${key}`],
    ['model', server.model],
    ['images', `JPEG of quality ${image.jpegQuality}, at most ${image.sideMax} pixels a side`],
    ['prompt', prompt],
    ['answers', `${format}, at most ${formatCount(answer.tokensMax)} tokens; ${told.join(', ')}`],
    ['price', price ? formatPrice(price) : 'none given'],
    ...(measured ? [['measured', formatMeasured(measured, price)] as [string, string]] : []),
    ['licence', licence],
  ];
  return `${id}\n${model.description}\n\n${formatFields(fields, columns)}`;
}

type Price = NonNullable<ServedModel['description']['price']>;

function formatPrice({ prompt, completion }: Price): string {
  return `$${prompt} for a million tokens asked, $${completion} for a million answered`;
}

function formatMeasured(
  { promptTokens, completionTokens, seconds }: NonNullable<ServedModel['description']['measured']>,
  price: Price | null,
): string {
  const cost = price && (promptTokens * price.prompt + completionTokens * price.completion) / 1e3;
  const used = `${formatUsage({ promptTokens, completionTokens })}, in ${seconds} s`;
  return `a made-up image: ${used}${cost === null ? '' : `; ${formatDollars(cost)} for 1,000 such images`}`;
}
