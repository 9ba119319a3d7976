import {
  asBundle,
  describeBundle,
  descriptionBytesMax,
  type ModelSummary,
  readBundleFile,
} from './load-bundle.ts';
import { findBundle } from './model-shelf.ts';
import { isServed } from './served/is-served.ts';
import {
  parseServedDescription,
  type ServedModel,
  summariseServed,
} from './served/served-description.ts';

/** Any model, whether its weights are here or it is behind a server. */
export type AnyModel = ModelSummary | ServedModel;

/** From model.json alone. @throws UserError where it cannot be read, or is none */
export async function describeModel(nameOrFolder: string): Promise<AnyModel> {
  const folder = await findBundle(nameOrFolder);
  const bytes = await readBundleFile(folder, 'model.json', descriptionBytesMax);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    return describeBundle(folder); // it says what is wrong
  }
  if (!isServed(json)) return describeBundle(folder);
  return asBundle(folder, () => summariseServed(parseServedDescription(json)));
}
