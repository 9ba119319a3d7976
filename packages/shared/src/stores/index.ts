export { compareKeys } from './key-order.ts';
export {
  folderUrl,
  type Location,
  type ObjectLocation,
  parseLocation,
  parseObjectLocation,
  parsePlace,
} from './location.ts';
export { MemoryStore } from './memory-store.ts';
export {
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutCondition,
  type PutOptions,
  type StoredObject,
  StoreError,
  type StoreErrorReason,
} from './object-store.ts';
export { openStore } from './open-store.ts';
export { type PatientOptions, type PatientWorld, patientStore } from './patient-store.ts';
export { type StoreConfig, storeConfigSchema } from './s3/s3-config.ts';
export { StorePool } from './store-pool.ts';
