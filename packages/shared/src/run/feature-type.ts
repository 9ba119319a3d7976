/** In which numbers features travel; a run has one, so that all of its captions come from the same. */
export const featureTypes = ['float16', 'int8'] as const;

export type FeatureType = (typeof featureTypes)[number];
