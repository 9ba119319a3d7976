export * from './location.ts';
export * from './object-store.ts';
export { openStore } from './open-store.ts';
export { type StoreConfig, storeConfigSchema } from './s3-config.ts';
