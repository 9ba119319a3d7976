import { readReviews } from '@cutline/shared/run';
import type { ObjectStore, StorePool } from '@cutline/shared/stores';
import { exportRows, type Link } from '../export/index.ts';
import { galleryLimitDefault, makeGallery } from '../make-gallery.ts';
import { FileResults, reviewedRows } from '../results/index.ts';
import type { Outputs } from './outputs.ts';

export interface MadeOf {
  outputs: Outputs;
  store: ObjectStore;
  stores: StorePool;
  link: Link | undefined;
  settings: { model: string | undefined };
}

/**
 * Makes what is made of a file of rows: a table, a gallery; says what there is then.
 * @throws UserError, StoreError
 */
export async function makeOutputs(what: MadeOf): Promise<void> {
  const { outputs, store, stores, link, settings } = what;
  if (outputs.rows === undefined) return;
  const tell = (text: string) => void process.stderr.write(`${text}\n`);
  if (outputs.table) {
    const { file, to } = outputs.table;
    const results = await FileResults.open(outputs.rows, stores);
    const rows = reviewedRows(results, await readReviews(results.papers));
    tell(await exportRows(rows, { to, into: file }, results, stores));
  }
  if (outputs.gallery !== undefined) {
    const results = await FileResults.open(outputs.rows, stores);
    const request = { file: outputs.gallery, imagesStore: store.url, isMoved: false, link };
    tell(
      await makeGallery(
        results,
        { ...request, limit: galleryLimitDefault, model: settings.model },
        stores,
      ),
    );
  }
}
