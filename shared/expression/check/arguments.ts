import { closest } from '../../did-you-mean.ts';
import { type Call, reportArgument } from './call.ts';
import { algorithmNames, type Argument, type Signature, signaturesDate } from './signatures.ts';
import { isAmong } from './types.ts';
import { describeValue, type Value } from './value.ts';

/**
 * Compares a call with its algorithm's signature. The official clients check the same before they send anything: a required
 * argument that is missing, and one that the algorithm does not have, are errors there (`promoteArgs` in function.js).
 */
export function checkArguments(call: Call, signature: Signature | undefined): void {
  if (!signature) {
    reportUnknown(call);
    return;
  }
  const { args, required } = signature;
  const { names, values } = call;
  let present = 0;
  for (let index = 0; index < names.length; index += 1) {
    const given = names[index] as string;
    const declared = args.get(given);
    if (!declared) {
      reportUnknownArgument(call, signature, given);
      continue;
    }
    present += declared.optional ? 0 : 1;
    const value = values[index] as Value;
    if (isAmong(declared.impossible, value)) {
      reportType(call, declared, declared.outer, value.kind, `gets ${describeValue(value)}`);
    } else if (value.kind === 'List' && isAmong(declared.impossibleItems, value.item)) {
      const found = `each item of this list is ${describeValue(value.item)}`;
      reportType(call, declared, declared.items, value.item.kind, found);
    }
  }
  if (present < required.length) {
    for (const missing of required) {
      if (!names.includes(missing)) {
        reportMissing(call, signature, missing);
      }
    }
  }
}

function reportType(
  call: Call,
  { name, type }: Argument,
  wanted: string | undefined,
  found: string,
  message: string,
): void {
  reportArgument(
    call,
    'WRONG_ARGUMENT_TYPE',
    name,
    `${call.name} needs ${aType(type)} here, and ${message}`,
    () => adviceFor(wanted, found),
  );
}

function reportMissing(call: Call, { args, name }: Signature, missing: string): void {
  reportArgument(
    call,
    'MISSING_ARGUMENT',
    missing,
    `${name} has no value for ${missing}, which it requires`,
    () => {
      const misspelled = call.names.find((given) => !args.has(given));
      return misspelled === undefined
        ? `Add ${missing}, ${aType(args.get(missing)?.type ?? 'value')}.`
        : `Add ${missing}, or rename ${misspelled.slice(0, 80)} to it.`;
    },
  );
}

function reportUnknownArgument(call: Call, { args, name }: Signature, given: string): void {
  reportArgument(
    call,
    'UNKNOWN_ARGUMENT',
    given,
    `${name} has no argument ${JSON.stringify(given.slice(0, 80))}`,
    () => {
      const known = [...args.keys()];
      const free = known.filter((candidate) => !call.names.includes(candidate));
      const meant = closest(given, free);
      const all = known.length === 0 ? 'It takes no arguments.' : `Its arguments are ${known.join(', ')}.`;
      return meant === undefined ? `Remove it. ${all}` : `Use ${meant}.`;
    },
  );
}

/** Methods of the clients or of the Code Editor, which are no algorithms. */
const uiOnly =
  /^(?:ui|Map|Export|Chart|print|inspect)\b|\.(?:getInfo|getMap|getMapId|getThumbURL|getDownloadURL|evaluate|aside)$/;

/** Once for each name: a graph that uses a new algorithm may use it thousands of times. */
function reportUnknown({ name, origin, report }: Call): void {
  if (!report.isNew(name)) {
    return;
  }
  const shown = name.slice(0, 80);
  const within = ['functionInvocationValue', 'functionName'];
  if (uiOnly.test(name)) {
    report.add(
      'UI_ONLY',
      origin,
      within,
      `${shown} exists only in the Code Editor or in a client, not in Earth Engine`,
      () => 'Remove the call: an exported expression contains only algorithms.',
    );
    return;
  }
  report.add(
    'UNKNOWN_ALGORITHM',
    origin,
    within,
    `${shown} is not one of the algorithms that Earth Engine listed on ${signaturesDate}`,
    () => {
      const meant = closest(name, algorithmNames());
      return meant === undefined ? 'Check the name of the algorithm.' : `Did you mean ${meant}?`;
    },
  );
}

const aType = (type: string): string => (/^[AEIOU]/.test(type) ? `an ${type}` : `a ${type}`);

function adviceFor(type: string | undefined, kind: string): string {
  if (type === 'Image') {
    if (kind === 'Number') {
      return 'Wrap the number in Image.constant.';
    }
    if (kind === 'String') {
      return 'Load the image with Image.load.';
    }
    if (kind === 'Collection') {
      return 'Reduce the collection to an image (ImageCollection.mosaic, reduce.median), or map over it (Collection.map).';
    }
  }
  if (type === 'ImageCollection' && kind === 'Image') {
    return 'Make a collection of the image with ImageCollection.fromImages.';
  }
  if (type === 'ImageCollection' && kind === 'String') {
    return 'Load the collection with ImageCollection.load.';
  }
  if (type === 'Geometry') {
    return 'Make a geometry with GeometryConstructors.Polygon, or another of the constructors.';
  }
  return `Give ${aType(type ?? 'value')}.`;
}
