import { type Call, constantArgument, reportArgument } from './call.ts';

/**
 * Assets that Earth Engine's catalog marks as deprecated, and what replaces them.
 * Source: https://developers.google.com/earth-engine/datasets/catalog
 */
const deprecated: readonly (readonly [RegExp, string])[] = [
  [/^LANDSAT\/(\w+)\/C01\/(\w+)$/, 'LANDSAT/$1/C02/… (Collection 2)'],
  [/^MODIS\/(?:005|051|055|006)\/(\w+)$/, 'MODIS/061/$1'],
  [/^COPERNICUS\/S2$/, 'COPERNICUS/S2_HARMONIZED'],
  [/^COPERNICUS\/S2_SR$/, 'COPERNICUS/S2_SR_HARMONIZED'],
];

/** Quick to tell for nearly all assets. */
const maybeDeprecated = /\/C01\/|^MODIS\/0[05]|^COPERNICUS\/S2/;

export function checkAsset(call: Call): void {
  const id = constantArgument(call, 'id');
  if (typeof id !== 'string' || id.length > 200 || !maybeDeprecated.test(id)) {
    return;
  }
  for (const [pattern, replacement] of deprecated) {
    if (pattern.test(id)) {
      const instead = id.replace(pattern, replacement);
      reportArgument(
        call,
        'DEPRECATED_ASSET',
        'id',
        `${id} is deprecated: it gets no new images and will be removed`,
        () => `Use ${instead}.`,
      );
      return;
    }
  }
}
