import type { CaptionedRow, PartRow } from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import type { DecodeJob } from '../jobs.ts';

type Sidecar = DecodeJob['sidecars'][number];

const contentTypes: Record<Sidecar, string> = {
  txt: 'text/plain; charset=utf-8',
  json: 'application/json',
  xmp: 'application/rdf+xml',
};

/**
 * Writes small files beside each captioned image, for catalogues that look for them there:
 * `photo.jpg.txt` (the caption), `photo.jpg.json` (the row), `photo.jpg.xmp` (Dublin Core
 * description). "Beside" means the image's key in the output store, under the output's prefix;
 * with the same bucket for both, they stand beside the image itself.
 */
export async function writeSidecars(
  store: ObjectStore,
  prefix: string,
  rows: readonly PartRow[],
  sidecars: readonly Sidecar[],
): Promise<void> {
  const captioned = rows.filter((row) => row.status === 'captioned');
  for (const sidecar of sidecars) {
    await Promise.all(
      captioned.map((row) =>
        store.put(`${prefix}${row.key}.${sidecar}`, Buffer.from(format(row, sidecar)), {
          contentType: contentTypes[sidecar],
        }),
      ),
    );
  }
}

function format(row: CaptionedRow, sidecar: Sidecar): string {
  if (sidecar === 'txt') return `${row.caption}\n`;
  if (sidecar === 'json') return `${JSON.stringify(row, undefined, 2)}\n`;
  return formatXmp(row.caption);
}

/** ISO 16684-1 (XMP): the caption as dc:description, in the language alternative x-default. */
function formatXmp(caption: string): string {
  return `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:description>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">${escapeXml(caption)}</rdf:li>
    </rdf:Alt>
   </dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
