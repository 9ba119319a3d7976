import type { Amount, Plan, Survey } from '@cutline/pipeline';
import { formatBytes, formatCount, formatQuantity, formatReasons } from '../terminal/format.ts';
import { formatFields } from '../terminal/format-model.ts';
import { estimateFields, trialFields } from './format-estimate.ts';

export type Field = [name: string, text: string];

/** A plan, for a person. @param columns to wrap lines to */
export function formatPlan(plan: Plan, columns = Number.POSITIVE_INFINITY): string {
  const { survey, trial, source } = plan;
  const sections = [
    surveyFields(plan),
    trial ? trialFields(trial) : [],
    survey.images > 0 ? estimateFields(plan) : [],
  ];
  return [
    `Plan for ${source.store}/${source.prefix}\n`,
    ...sections.filter(({ length }) => length > 0).map((each) => formatFields(each, columns)),
  ].join('\n');
}

function surveyFields({ survey, model, estimate: { copied } }: Plan): Field[] {
  const { images, keys, bytes, unsized, skippedByReason, duplicates } = survey;
  const fields: Field[] = [];
  const add = (name: string, text: string | false) => text && fields.push([name, text]);
  add('model', model);
  const size = bytes > 0 ? `, ${formatBytes(bytes)}` : '';
  const unknown = unsized > 0 && bytes > 0 ? `, and ${formatCount(unsized)} of unknown size` : '';
  add('images', `${formatCount(images)} of ${formatQuantity(keys, 'key')}${size}${unknown}`);
  add('types', amounts(survey.types));
  add('sizes', sizes(survey.sizes));
  const isUsual = Object.keys(survey.storageClasses).join() === 'STANDARD';
  add('storage', !isUsual && amounts(survey.storageClasses));
  add('skipped', formatReasons(skippedByReason));
  add('restore', amounts(survey.archived, withBytes));
  if (duplicates && duplicates.images > 0) {
    add(
      'copies',
      `${withBytes(duplicates)} have the ETag and size of another image; ${
        copied > 0 ? 'they get its caption' : 'with --duplicates etag, they get its caption'
      }`,
    );
  }
  return fields;
}

const withBytes = ({ images, bytes }: Amount) => `${formatCount(images)} (${formatBytes(bytes)})`;

/** Kinds that are named; the others are one number. */
const kindsMax = 8;

function amounts(
  byKind: Record<string, Amount>,
  show = ({ images }: Amount) => formatCount(images),
): string {
  const kinds = Object.entries(byKind);
  const shown = kinds.slice(0, kindsMax).map(([kind, amount]) => `${kind} ${show(amount)}`);
  const rest = kinds.slice(kindsMax).reduce((sum, [, { images }]) => sum + images, 0);
  return [...shown, ...(rest > 0 ? [`others ${formatCount(rest)}`] : [])].join(' · ');
}

/** `up to 100 KB 191 · 1 MB 49`: what is in the classes that have something. */
function sizes(classes: Survey['sizes']): string {
  const largest = classes.findLast(({ bytesMax }) => bytesMax !== null)?.bytesMax ?? 0;
  return classes
    .filter(({ images }) => images > 0)
    .map(({ bytesMax, images }) => {
      if (bytesMax === 0) return `empty ${formatCount(images)}`;
      const bound = formatBytes(bytesMax ?? largest).replace('.0', '');
      return `${bytesMax === null ? 'over' : 'up to'} ${bound} ${formatCount(images)}`;
    })
    .join(' · ');
}
