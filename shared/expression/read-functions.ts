import type { GraphNode } from './graph.ts';
import { at, fieldsOf, type GraphReader, readName, readTarget, reject } from './graph-reader.ts';
import { readMembers } from './read-containers.ts';
import type { JsonObject } from '../json.ts';

/** Functions and their calls: `functionDefinitionValue` and `functionInvocationValue`. */

export function readDefinition(reader: GraphReader, value: unknown): GraphNode | undefined {
  const fields = fieldsOf(reader, value, ['argumentNames', 'body'], 'an object with argumentNames and body');
  if (!fields) {
    return undefined;
  }
  const argumentNames = at(reader, 'argumentNames', () => readArgumentNames(reader, fields['argumentNames']));
  const body = at(reader, 'body', () => readTarget(reader, fields['body']));
  return body === undefined ? undefined : { kind: 'definition', argumentNames, body };
}

function readArgumentNames(reader: GraphReader, value: unknown): string[] {
  const names = value ?? [];
  if (!Array.isArray(names)) {
    reject(reader, names, 'an array of names');
    return [];
  }
  const argumentNames = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (reader.issues.isFull) {
      break;
    }
    at(reader, index, () => {
      const argument = readName(reader, name, 'the name of an argument');
      if (argument === undefined) {
        return;
      }
      if (argumentNames.has(argument)) {
        reject(reader, argument, 'each name once');
      }
      argumentNames.add(argument);
    });
  }
  return [...argumentNames];
}

export function readInvocation(reader: GraphReader, value: unknown, depth: number): GraphNode | undefined {
  const fields = fieldsOf(
    reader,
    value,
    ['functionName', 'functionReference', 'arguments'],
    'a function and its arguments',
  );
  if (!fields) {
    return undefined;
  }
  const callee = readCallee(reader, fields);
  const members = at(reader, 'arguments', () => readMembers(reader, fields['arguments'], depth));
  return callee && { kind: 'invocation', callee, ...members };
}

function readCallee(
  reader: GraphReader,
  fields: JsonObject,
): { name: string } | { target: string } | undefined {
  const hasName = Object.hasOwn(fields, 'functionName');
  if (hasName === Object.hasOwn(fields, 'functionReference')) {
    return reject(reader, fields, 'exactly one of functionName, functionReference');
  }
  if (hasName) {
    const name = at(reader, 'functionName', () =>
      readName(reader, fields['functionName'], 'the name of an algorithm'),
    );
    return name === undefined ? undefined : { name };
  }
  const target = at(reader, 'functionReference', () => readTarget(reader, fields['functionReference']));
  if (target === undefined) {
    return undefined;
  }
  reader.calls.push(target);
  return { target };
}
