import { z } from 'zod';
import { roundScore } from '../round-score.ts';
import type { Captions } from '../stages/stage.ts';
import type { Answer, NoCaption } from './answer.ts';
import { oneLine } from './explain-response.ts';
import type { AnswerFormat } from './served-description.ts';

/**
 * A server's answer to a caption, or to the reason why it is none: a refusal, nothing at all, or
 * not the JSON that was asked for. What was cut off at the limit of its length is a caption with a
 * warning.
 */
export function readCaption(answer: Answer, format: AnswerFormat): Captions | NoCaption {
  const { end, usage, logProb, tokens } = answer;
  const refuse = (message: string): NoCaption => ({
    failure: { class: 'refused', message },
    usage,
  });
  const text = answer.text.replaceAll(thought, '').trim();
  if (end === 'refusal' || refusal.test(text)) return refuse(`the model refuses: ${quote(text)}`);
  if (text === '') {
    return refuse(
      end === 'length'
        ? 'the answer was cut off before it said anything: allow more tokens (--tokens-max)'
        : 'the answer is empty',
    );
  }
  const fields = format === 'json' ? parseFields(text) : { caption: unquoted(text) };
  if (!fields) {
    const why = end === 'length' ? 'cut off at the limit of its tokens' : quote(text);
    return refuse(`the answer is not the JSON that was asked for: ${why}`);
  }
  const { caption, ...more } = fields;
  const score = logProb === null || tokens === 0 ? null : roundScore(logProb / tokens);
  const warnings = [...answer.warnings, ...(end === 'length' ? [cutOff] : [])];
  return {
    ...{ caption, logProb, score, candidates: [{ caption, logProb, score }] },
    ...more,
    ...(warnings.length > 0 && { warnings }),
    usage,
  };
}

const cutOff = 'cut off at the limit of its tokens';

/** What a caption says that many images of a batch got: most of those are worth a look. */
export const repeatedWarning = 'the same as that of many images';

/** Of a batch: more are not likely to be alike by chance. */
const repeatedMin = 4;
const repeatedShare = 0.25;

/** Names captions that a quarter of a batch, and at least four images, have in common. */
export function nameRepeated(found: readonly (Captions | NoCaption)[]): (Captions | NoCaption)[] {
  const times = new Map<string, number>();
  for (const each of found) {
    if ('caption' in each) times.set(each.caption, (times.get(each.caption) ?? 0) + 1);
  }
  const least = Math.max(repeatedMin, repeatedShare * found.length);
  return found.map((each) => {
    if (!('caption' in each) || (times.get(each.caption) ?? 0) < least) return each;
    return { ...each, warnings: [...(each.warnings ?? []), repeatedWarning] };
  });
}

/** What models that think aloud say before their answer. */
const thought = /<think>[\s\S]*?(<\/think>|$)/g;

/** In English, as models are taught to refuse. */
const refusal =
  /^(i['’]?m sorry|i am sorry|sorry|i apologi[sz]e|unfortunately)\b[^.!]{0,80}\b(can['’]?t|cannot|could ?n['’]t|unable|not able|won['’]?t)\b|^(i|we) (can['’]?t|cannot|am unable|['’]m unable|am not able|won['’]?t|must decline)\b.{0,40}\b(help|assist|provide|describe|identify|process|comply|view|see|fulfil|analy[sz]e|generate|caption)/i;

const fieldsSchema = z.looseObject({
  caption: z.string().transform(tidy).pipe(z.string().min(1)),
  altText: z.string().transform(tidy).nullish(),
  keywords: z.array(z.string().transform(tidy)).max(100).nullish(),
  visibleText: z
    .string()
    .transform((text) => clean(text).trim())
    .nullish(),
});

/** Empty fields are left out; undefined where it is not the JSON that was asked for. */
function parseFields(
  text: string,
): Pick<Captions, 'caption' | 'altText' | 'keywords' | 'visibleText'> | undefined {
  const json = /^```(?:json)?\s*([\s\S]*?)\s*```$/.exec(text)?.[1] ?? text;
  let fields: z.infer<typeof fieldsSchema>;
  try {
    fields = fieldsSchema.parse(JSON.parse(json));
  } catch {
    return undefined;
  }
  const { caption, altText, visibleText } = fields;
  const keywords = [...new Set(fields.keywords ?? [])].filter((word) => word !== '');
  return {
    caption,
    ...(altText && { altText }),
    ...(keywords.length > 0 && { keywords }),
    ...(visibleText && { visibleText }),
  };
}

/** On one line, without commands to a terminal. */
function tidy(text: string): string {
  return clean(text).replaceAll(/\s+/g, ' ').trim();
}

function clean(text: string): string {
  return text.replaceAll(/(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu, ' ');
}

/** Models like to put a caption into quotes, or its name before it. */
function unquoted(text: string): string {
  const caption = tidy(text).replace(/^caption:\s+/i, '');
  const inner = /^["“]([^"“”]+)["”]$/.exec(caption)?.[1];
  return inner ?? caption;
}

function quote(text: string): string {
  return JSON.stringify(oneLine(text));
}
