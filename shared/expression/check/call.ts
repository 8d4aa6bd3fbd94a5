import type { Report, Within } from './report.ts';
import type { Code } from './codes.ts';
import { constantOf, IMAGE, type ImageValue, type Origin, type Value } from './value.ts';

/** One call of an algorithm, with what is known of its arguments. */
export interface Call {
  readonly name: string;
  readonly names: readonly string[];
  readonly values: readonly Value[];
  readonly origin: Origin;
  readonly report: Report;
}

/** What an algorithm returns, as far as its arguments tell. */
export type Transfer = (call: Call) => Value;

export function argument({ names, values }: Call, name: string): Value | undefined {
  const index = names.indexOf(name);
  return index === -1 ? undefined : values[index];
}

/** The constant of an argument; undefined if it is missing or not a known constant. */
export const constantArgument = (call: Call, name: string): unknown => constantOf(argument(call, name));

export function numberArgument(call: Call, name: string): number | undefined {
  const value = constantArgument(call, name);
  return typeof value === 'number' ? value : undefined;
}

/** An argument that is an image. Of anything else, only that is known. */
export function imageArgument(call: Call, name: string): ImageValue {
  const value = argument(call, name);
  return value?.kind === 'Image' ? value : IMAGE;
}

/** The same for the elements of a collection or the items of a list. */
export function elementsArgument(call: Call, name: string): ImageValue {
  const value = argument(call, name);
  return (value?.kind === 'Collection' || value?.kind === 'List') && value.item.kind === 'Image'
    ? value.item
    : IMAGE;
}

export const argumentPath = (name: string): Within => ['functionInvocationValue', 'arguments', name];

/** Reports something about an argument of the call. */
export function reportArgument(
  call: Call,
  code: Code,
  name: string,
  message: string,
  suggestion: () => string,
): void {
  call.report.add(code, call.origin, argumentPath(name), message, suggestion);
}
