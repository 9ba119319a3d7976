import { describe } from 'vitest';
import { describeEngine } from './support/engine-contract.ts';

describe('the onnx backend', async () => describeEngine('onnx'));
