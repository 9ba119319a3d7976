/** The server behind the page of a review. Images are named by their number. */

import { readBody } from '../loopback/read-body.ts';
import { RefusedError } from '../loopback/refused-error.ts';
import { type PageServer, type PageServing, servePage } from '../loopback/serve-page.ts';
import { reviewPage } from './page.ts';
import type { Previews } from './previews.ts';
import { decideSchema, pageSchema, querySchema, sideSchema, undoSchema } from './requests.ts';
import type { ReviewSession } from './review-session.ts';

export interface ReviewServerOptions extends PageServing {
  session: ReviewSession;
  previews: Pick<Previews, 'get'>;
}

/** @throws UserError where the port is taken. */
export function serveReview({
  session,
  previews,
  ...options
}: ReviewServerOptions): Promise<PageServer> {
  return servePage({
    ...options,
    page: reviewPage,
    replies: {
      '/api/open': async () => session.open(),
      '/api/progress': () => session.progress(),
      '/api/select': async (request) => session.select(await readBody(request, querySchema)),
      '/api/items': async (request) => session.items(await readBody(request, pageSchema)),
      '/api/decide': async (request) => session.decide(await readBody(request, decideSchema)),
      '/api/undo': async (request) => session.undo(await readBody(request, undoSchema)),
    },
    async picture(name, query) {
      const side = sideSchema.safeParse(query.get('side'));
      if (!/^\d{1,9}$/.test(name) || !side.success) {
        throw new RefusedError('invalid', 'There is no such picture.');
      }
      const bytes = await previews.get(session.image(Number(name)), side.data);
      if (!bytes) throw new RefusedError('unknown', 'The image cannot be read now.');
      return { type: 'image/webp', bytes };
    },
  });
}
