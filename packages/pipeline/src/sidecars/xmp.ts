import { createHash } from 'node:crypto';
import { type SidecarRow, whatIsSaid } from './sidecar-row.ts';

/**
 * XMP sidecars (ISO 16684-1), as catalogues read them: the caption as `dc:description`, what a
 * screen reader is to say as `Iptc4xmpCore:AltTextAccessibility` (IPTC Photo Metadata 2021.1), who
 * wrote it, and the rest in a namespace of Cutline's own.
 *
 * All of it is one block, an `rdf:Description`, which carries a digest of itself: so it is known
 * again, and known to be as it was written. A file is Cutline's own where nothing stands around the
 * block but what Cutline puts there.
 */

const cutline = 'urn:cutline:ns/1.0/';
const dc = 'http://purl.org/dc/elements/1.1/';
const iptc = 'http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/';
const photoshop = 'http://ns.adobe.com/photoshop/1.0/';
const rdf = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#';

const head = `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="${rdf}">
  `;
const closing = '</rdf:RDF>';
const foot = ` ${closing}
</x:xmpmeta>
<?xpacket end="w"?>
`;

const noDigest = '0'.repeat(64);

/** A file of Cutline's own. */
export function formatXmp(row: SidecarRow, run: string): string {
  return `${head}${formatBlock(row, run)}\n${foot}`;
}

/** Whether a file is Cutline's own, and as it was written. */
export function isOwnXmp(text: string): boolean {
  const block = findBlock(text);
  return block !== undefined && text === `${head}${block.text}\n${foot}`;
}

/**
 * Adds a block to a file of somebody else, or renews the one that it has; nothing else is touched.
 * What the file says already, the block does not say again: a description by a person stays the
 * only one.
 *
 * @returns undefined for what is no XMP that is understood here, or was edited where it is Cutline's.
 */
export function mergeXmp(
  text: string,
  row: SidecarRow,
  run: string,
): { text: string; inserted: string } | undefined {
  const block = findBlock(text);
  if (text.includes(cutline) && !block) return undefined;
  const before = block ? text.replace(`${block.text}\n `, '') : text;
  const end = before.indexOf(closing);
  const isUnderstood =
    end >= 0 &&
    end === before.lastIndexOf(closing) &&
    !before.includes(cutline) &&
    new RegExp(`xmlns:rdf\\s*=\\s*["']${escapePattern(rdf)}["']`).test(before) &&
    !/<!--|<!\[CDATA\[|<!DOCTYPE/i.test(before);
  if (!isUnderstood) return undefined;
  const about = /\brdf:about\s*=\s*(?:"([^"<]*)"|'([^'"<]*)')/.exec(before);
  const inserted = `${formatBlock(row, run, { about: about?.[1] ?? about?.[2] ?? '', beside: before })}\n `;
  return { text: before.slice(0, end) + inserted + before.slice(end), inserted };
}

/** @param beside a file that says some of it already. */
function formatBlock(
  row: SidecarRow,
  run: string,
  { about = '', beside = '' }: { about?: string; beside?: string } = {},
): string {
  const says = (namespace: string, property: string) => hasProperty(beside, namespace, property);
  const { caption, altText, keywords, writer, model, score, review } = whatIsSaid(row);
  const { etag } = row;
  const attributes = [
    `xmlns:cutline="${cutline}"`,
    `xmlns:dc="${dc}"`,
    `xmlns:Iptc4xmpCore="${iptc}"`,
    `xmlns:photoshop="${photoshop}"`,
    `cutline:digest="${noDigest}"`,
    attribute('cutline:caption', caption),
    ...(model === undefined ? [] : [attribute('cutline:model', model)]),
    attribute('cutline:run', run),
    ...(score === null ? [] : [attribute('cutline:score', String(score))]),
    ...(etag === null ? [] : [attribute('cutline:imageETag', etag)]),
    ...(review
      ? [
          attribute('cutline:status', 'reviewed'),
          attribute('cutline:decision', review.decision),
          attribute('cutline:reviewedBy', review.who),
          attribute('cutline:reviewedAt', review.at),
        ]
      : []),
    ...(says(photoshop, 'CaptionWriter') || says(dc, 'description')
      ? []
      : [attribute('photoshop:CaptionWriter', writer)]),
  ];
  const properties = [
    says(dc, 'description') ? '' : alternative('dc:description', caption),
    says(iptc, 'AltTextAccessibility')
      ? ''
      : alternative('Iptc4xmpCore:AltTextAccessibility', altText),
    says(dc, 'subject') || keywords.length === 0 ? '' : bag('dc:subject', keywords),
  ];
  const block =
    `<rdf:Description rdf:about="${about}"\n    ${attributes.join('\n    ')}>\n` +
    `${properties.join('')}  ${blockEnd}`;
  return block.replace(noDigest, digestOf(block));
}

const blockEnd = '</rdf:Description>';

/** The block of Cutline's in a file, if it is as it was written. */
function findBlock(text: string): { text: string } | undefined {
  const mark = text.indexOf(`xmlns:cutline="${cutline}"`);
  if (mark < 0) return undefined;
  const start = text.lastIndexOf('<rdf:Description', mark);
  const end = text.indexOf(blockEnd, mark);
  if (start < 0 || end < 0) return undefined;
  const block = text.slice(start, end + blockEnd.length);
  const digest = /cutline:digest="([0-9a-f]{64})"/.exec(block)?.[1];
  if (digest === undefined || digestOf(block.replace(digest, noDigest)) !== digest)
    return undefined;
  return { text: block };
}

/** @param block with zeros for its digest */
function digestOf(block: string): string {
  return createHash('sha256').update(block).digest('hex');
}

/** Prefixes of one namespace in one file. Tools use one. */
const prefixesMax = 8;

/** Whether a file has a property, as an element or as an attribute, whatever prefix it uses. */
function hasProperty(text: string, namespace: string, property: string): boolean {
  const declared = new RegExp(`xmlns:([\\w.-]+)\\s*=\\s*["']${escapePattern(namespace)}["']`, 'g');
  const prefixes = new Set([...text.matchAll(declared)].map(([, prefix]) => prefix ?? ''));
  // Each is looked for through the whole text: of so many, none is, and it is taken to say it.
  if (prefixes.size > prefixesMax) return true;
  return [...prefixes].some((prefix) =>
    new RegExp(`[<\\s]${escapePattern(prefix)}:${property}[\\s=>/]`).test(text),
  );
}

function alternative(name: string, text: string): string {
  return `   <${name}>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">${escapeXml(text)}</rdf:li>
    </rdf:Alt>
   </${name}>
`;
}

function bag(name: string, items: readonly string[]): string {
  const list = items.map((item) => `     <rdf:li>${escapeXml(item)}</rdf:li>\n`).join('');
  return `   <${name}>\n    <rdf:Bag>\n${list}    </rdf:Bag>\n   </${name}>\n`;
}

function attribute(name: string, text: string): string {
  return `${name}="${escapeXml(text).replaceAll('"', '&quot;')}"`;
}

/** Characters that XML 1.0 cannot hold are left out; line breaks would become spaces in attributes. */
function escapeXml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#13;')
    .replaceAll('\n', '&#10;')
    .replaceAll('\t', '&#9;');
}

function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
