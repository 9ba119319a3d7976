import { describeError } from '@cutline/shared/errors';
import { RunStore, runIdSchema } from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import { z } from 'zod';
import { readBody } from '../loopback/read-body.ts';
import { type PageServer, type PageServing, servePage } from '../loopback/serve-page.ts';
import type { Failures } from './client/messages.ts';
import type { OverviewReader } from './overview-reader.ts';
import { dashboardPage } from './page.ts';
import { readFailures } from './read-failures.ts';

export interface DashboardServerOptions extends PageServing {
  overview: Pick<OverviewReader, 'read'>;
  /** Where results of runs are; undefined where nobody said. */
  output: { store: ObjectStore; prefix: string } | undefined;
}

const failuresSchema = z.strictObject({ run: runIdSchema });

/** The server behind the page of a dashboard: it tells, and changes nothing. */
export function serveDashboard({
  overview,
  output,
  ...options
}: DashboardServerOptions): Promise<PageServer> {
  return servePage({
    ...options,
    page: dashboardPage,
    replies: {
      '/api/overview': () => overview.read(),
      '/api/failures': async (request): Promise<Failures> => {
        const { run } = await readBody(request, failuresSchema);
        if (!output) return { examples: [], note: needsOutput };
        const runStore = new RunStore(output.store, output.prefix, run);
        return readFailures(runStore).catch((error) => ({
          examples: [],
          note: `The results cannot be read: ${describeError(error)}`,
        }));
      },
    },
  });
}

const needsOutput = 'Start the dashboard with --output to see examples.';
