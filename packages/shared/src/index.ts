export * from './caption-options.ts';
export * from './errors.ts';
export * from './metrics.ts';
export * from './part.ts';
export * from './stores/index.ts';
