import { createHash } from 'node:crypto';
import type { CaptionedRow, ReviewedRow } from '@cutline/shared/run';

/**
 * What a caption is in IIIF: an AnnotationPage (Presentation API 3.0, 5.8) of Web Annotations (W3C,
 * 2017), to be published as it is and named in the `annotations` of a manifest's canvas.
 *
 * The caption and the alternative text describe the image, keywords tag it, and text that is to be
 * read in it supplements it. Where a person corrected the caption, theirs is all that is said. The id of an annotation ends with a digest of what it says: so a page
 * that somebody has edited is known to be no longer Cutline's.
 */
export interface AnnotationPage {
  '@context': string[];
  id: string;
  type: 'AnnotationPage';
  items: Annotation[];
}

interface Annotation extends Said {
  id: string;
  type: 'Annotation';
  created: string;
  /** Who says so: a model, or whoever judged its caption. */
  creator: { type: 'Software' | 'Person'; name: string };
  generator: typeof generator;
  target: string;
}

/** What an annotation says of its target. */
interface Said {
  motivation: 'describing' | 'tagging' | 'supplementing';
  body: { type: 'TextualBody'; value: string; format: 'text/plain' };
}

const generator = { type: 'Software', name: 'Cutline' } as const;

export interface PagePlaces {
  /** What the annotations are about: an image or a canvas, by its URL. */
  target: string;
  /** Where the page will be published. */
  id: string;
}

/** What a page can be about. */
export type DescribedRow = CaptionedRow | ReviewedRow;

/**
 * @param runCreated ISO 8601, UTC
 * @returns undefined where a person rejected the caption, and gave no other
 */
export function annotationPage(
  row: DescribedRow,
  { target, id }: PagePlaces,
  runCreated: string,
): AnnotationPage | undefined {
  const isReviewed = row.status === 'reviewed';
  const origin = isReviewed
    ? ({ created: row.at, creator: { type: 'Person', name: row.who } } as const)
    : ({ created: runCreated, creator: { type: 'Software', name: row.model } } as const);
  const items = sayings(row).map((said) => {
    const annotation = { ...said, ...origin, generator, target };
    return { id: `${id}#${digestOf(annotation)}`, type: 'Annotation' as const, ...annotation };
  });
  if (items.length === 0) return undefined;
  const context = [
    'http://www.w3.org/ns/anno.jsonld',
    'http://iiif.io/api/presentation/3/context.json',
  ];
  return { '@context': context, id, type: 'AnnotationPage', items };
}

export function formatPage(page: AnnotationPage): string {
  return `${JSON.stringify(page, undefined, 2)}\n`;
}

/** Whether a file is a page of Cutline's, and as it was written. */
export function isOwnPage(text: string): boolean {
  try {
    const page = JSON.parse(text) as AnnotationPage;
    const isOwn = ({ id, type: _, ...annotation }: Annotation) =>
      annotation.generator.name === generator.name && id.endsWith(`#${digestOf(annotation)}`);
    return page.items.length > 0 && page.items.every(isOwn) && text === formatPage(page);
  } catch {
    return false; // something else
  }
}

function digestOf(annotation: Omit<Annotation, 'id' | 'type'>): string {
  return createHash('sha256').update(JSON.stringify(annotation)).digest('hex').slice(0, 16);
}

function sayings(row: DescribedRow): Said[] {
  if (row.status !== 'reviewed') return sayingsOfModel(row);
  if (row.decision === 'accepted' && row.row.status === 'captioned') return sayingsOfModel(row.row);
  return row.caption === null ? [] : [say('describing', row.caption)];
}

function sayingsOfModel({ caption, altText, keywords = [], visibleText }: CaptionedRow): Said[] {
  return [
    say('describing', caption),
    ...(altText === undefined || altText === caption ? [] : [say('describing', altText)]),
    ...keywords.map((keyword) => say('tagging', keyword)),
    ...(visibleText === undefined ? [] : [say('supplementing', visibleText)]),
  ];
}

function say(motivation: Said['motivation'], value: string): Said {
  return { motivation, body: { type: 'TextualBody', value, format: 'text/plain' } };
}
