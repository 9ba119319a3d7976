import { describeError } from '@cutline/shared/errors';
import type { CaptionedRow, PartRow, SidecarKind } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';

const contentTypes: Record<SidecarKind, string> = {
  txt: 'text/plain; charset=utf-8',
  json: 'application/json',
  xmp: 'application/rdf+xml',
};

/**
 * Writes small files beside each captioned image, for catalogues that look for them there:
 * `photo.jpg.txt` (the caption), `photo.jpg.json` (the row), `photo.jpg.xmp` (Dublin Core
 * description). "Beside" means the image's key in the output store, under the output's prefix;
 * with the same bucket for both, they stand beside the image itself.
 *
 * @returns the rows; those of images one of whose sidecars the store cannot hold (a key that is too
 *   long, say) with a warning.
 */
export async function writeSidecars(
  store: ObjectStore,
  prefix: string,
  rows: readonly PartRow[],
  sidecars: readonly SidecarKind[],
): Promise<PartRow[]> {
  if (sidecars.length === 0) return [...rows];
  return Promise.all(
    rows.map(async (row) => {
      if (row.status !== 'captioned') return row;
      const warnings: string[] = [];
      for (const kind of sidecars) {
        try {
          await store.put(`${prefix}${row.key}.${kind}`, Buffer.from(format(row, kind)), {
            contentType: contentTypes[kind],
          });
        } catch (error) {
          if (!isRefused(error)) throw error;
          warnings.push(`no .${kind} sidecar: ${describeError(error)}`);
        }
      }
      return warnings.length === 0
        ? row
        : { ...row, warnings: [...(row.warnings ?? []), ...warnings] };
    }),
  );
}

/** The store cannot hold an object of that name, which no other try would change. */
function isRefused(error: unknown): boolean {
  return error instanceof StoreError && error.reason === 'refused';
}

function format(row: CaptionedRow, sidecar: SidecarKind): string {
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
