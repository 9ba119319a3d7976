export { quote } from './quote.ts';
export { isFile, readJson, readText } from './read-json.ts';
