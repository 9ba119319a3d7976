import { describe } from 'vitest';
import { describeEngine } from './support/engine-contract.ts';

describe('the wasm backend', async () => describeEngine('wasm'));
