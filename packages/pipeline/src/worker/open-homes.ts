import { type FeatureHomes, openFeatureHomes, requireHome } from '../features/feature-homes.ts';
import type { WorkerContext } from './worker-program.ts';

/** What a worker needs that puts features in flight, or takes them. */
export const featureSettings = ['features', 'featureTtlMs'] as const;

type FeatureSetting = (typeof featureSettings)[number];

/** The homes of features that a worker's settings name. @throws where its own cannot be reached */
export async function openHomes({
  settings,
  ...context
}: Omit<WorkerContext, 'settings'> &
  Pick<WorkerContext<FeatureSetting>, 'settings'>): Promise<FeatureHomes> {
  const { features, featureTtlMs: ttlMs } = settings;
  await requireHome(features, context.stores);
  return openFeatureHomes({ ...context, features, ttlMs });
}
