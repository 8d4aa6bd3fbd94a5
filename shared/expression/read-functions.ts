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

const invocationFields = ['functionName', 'functionReference', 'arguments'] as const;

/** Most nodes of a graph are calls, so this and what it uses pass no functions, which would take a third of the memory. */
export function readInvocation(reader: GraphReader, value: unknown, depth: number): GraphNode | undefined {
  const fields = fieldsOf(reader, value, invocationFields, 'a function and its arguments');
  if (!fields) {
    return undefined;
  }
  const { path } = reader;
  const callee = readCallee(reader, fields);
  path.push('arguments');
  const members = readMembers(reader, fields['arguments'], depth);
  path.pop();
  return callee && members && { kind: 'invocation', callee, names: members.names, items: members.items };
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
    reader.path.push('functionName');
    const name = readName(reader, fields['functionName'], 'the name of an algorithm');
    reader.path.pop();
    return name === undefined ? undefined : { name };
  }
  const target = at(reader, 'functionReference', () => readTarget(reader, fields['functionReference']));
  if (target === undefined) {
    return undefined;
  }
  reader.calls.push(target);
  return { target };
}
