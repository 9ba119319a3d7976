export * from './location.ts';
export * from './object-store.ts';
export { openStore, type StoreConfig, storeConfigSchema } from './open-store.ts';
