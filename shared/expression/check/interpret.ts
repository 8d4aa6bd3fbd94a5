import type { JsonObject } from '../../json.ts';
import type { Steps } from '../../steps.ts';
import {
  type Applications,
  type Children,
  childrenOf,
  finishNode,
  isContainer,
  isValue,
  kindOf,
} from './nodes.ts';
import { indexOfName, mayShareName } from './names.ts';
import type { Report } from './report.ts';
import { type FunctionValue, type Scope, UNKNOWN, type Value, valueOfConstant } from './value.ts';

/**
 * Runs an expression on what is known of values instead of on values. It works with a stack of its own: references, nested
 * functions, and nested nodes are all tasks on it, so no graph is too deep. An entry is looked at once for each environment in
 * which it has a different meaning: once at all if it uses no argument of a function.
 */

/** Something that is being evaluated. */
interface Task {
  readonly entry: string;
  readonly scope: Scope | undefined;
  /** The key of `values` whose value it becomes, if it is an entry's root. */
  readonly remember: boolean;
  readonly node: JsonObject;
  readonly children: Children;
  next: number;
  readonly values: Value[];
  /** The depth of the innermost function whose arguments it uses; 0 if it uses none. */
  level: number;
  /** Function bodies that are evaluated after the arguments. */
  applications: Applications | undefined;
}

/** What an entry was, and the environment in which it was that. */
interface Memo {
  readonly value: Value;
  readonly level: number;
  readonly scope: Scope | undefined;
}

/** Functions in functions. Programs have fewer than ten. */
const MAX_DEPTH = 50;
/**
 * An entry that means something else in each function that uses it is evaluated for each. Beyond so many evaluations for each
 * first one, it is unknown: the whole takes time in proportion to the graph's size.
 */
const REPETITIONS = 4;
const FREE_REPETITIONS = 10_000;
/** Takes about a millisecond. */
const STEP_TASKS = 2000;

/** The root of an entry that is a constant, a reference, or a function: it has a task only to be remembered. */
const leaf: Children = { kind: 'leaf', names: [], nodes: [] };

/** The state of one run. */
interface Machine {
  readonly values: JsonObject;
  readonly report: Report;
  readonly memos: Map<string, Memo>;
  readonly stack: Task[];
  /** How many tasks there were, and how many of them looked at something for the first time. */
  work: number;
  firstWork: number;
  /** Tasks above this height of the stack are repetitions. */
  repeatedFrom: number;
  /** What the last finished task became. */
  delivered: Value;
}

/** The value of `result`. */
export function* interpret(values: JsonObject, result: string, report: Report): Steps<Value> {
  const machine: Machine = {
    values,
    report,
    memos: new Map(),
    stack: [],
    work: 0,
    firstWork: 0,
    repeatedFrom: Infinity,
    delivered: UNKNOWN,
  };
  const { stack } = machine;
  lookAtEntry(machine, result, undefined, undefined);
  let steps = 0;
  for (let task = stack.at(-1); task; task = stack.at(-1)) {
    const value = advance(machine, task);
    if (value !== undefined) {
      deliver(machine, task, value);
    }
    steps += 1;
    if (steps % STEP_TASKS === 0) {
      yield;
    }
  }
  return machine.delivered;
}

/** The value of a node that needs no task; undefined if it needs one, which is then on the stack. */
function look(machine: Machine, node: unknown, task: Task): Value | undefined {
  // Most nodes are constants, and looking for their kind takes longer than anything else here.
  const { constantValue } = node as { readonly constantValue?: unknown };
  if (constantValue !== undefined) {
    return valueOfConstant(constantValue);
  }
  const { entry, scope } = task;
  const kind = kindOf(node);
  const content = (node as JsonObject)[kind];
  switch (kind) {
    case 'valueReference':
      return lookAtEntry(machine, content as string, scope, task);
    case 'argumentReference':
      return lookUp(content as string, task);
    case 'functionDefinitionValue': {
      const { argumentNames = [], body } = content as { argumentNames?: string[]; body: string };
      // Its body may use any argument around it.
      raise(task, scope?.depth ?? 0);
      return { kind: 'Function', argumentNames, body, scope };
    }
    case 'integerValue':
      return { kind: 'Number', value: Number(content) };
    case 'functionInvocationValue':
    case 'arrayValue':
    case 'dictionaryValue':
      push(machine, node as JsonObject, childrenOf(node as JsonObject, kind), entry, scope, false);
      return undefined;
    default:
      return UNKNOWN;
  }
}

function lookUp(name: string, task: Task): Value {
  for (let at = task.scope; at; at = at.parent) {
    const index = indexOfName(at.names, name);
    if (index !== -1) {
      raise(task, at.depth);
      return at.values[index] ?? UNKNOWN;
    }
  }
  return UNKNOWN;
}

function lookAtEntry(
  machine: Machine,
  key: string,
  scope: Scope | undefined,
  parent: Task | undefined,
): Value | undefined {
  const memo = machine.memos.get(key);
  if (memo && isValid(memo, scope)) {
    raise(parent, memo.level);
    return memo.value;
  }
  if (memo) {
    if (machine.work > REPETITIONS * machine.firstWork + FREE_REPETITIONS) {
      return UNKNOWN;
    }
    machine.repeatedFrom = Math.min(machine.repeatedFrom, machine.stack.length);
  }
  const node = machine.values[key] as JsonObject;
  const kind = kindOf(node);
  push(machine, node, isContainer(kind) ? childrenOf(node, kind) : leaf, key, scope, true);
  return undefined;
}

function push(
  machine: Machine,
  node: JsonObject,
  children: Children,
  entry: string,
  scope: Scope | undefined,
  remember: boolean,
): void {
  const applications = undefined;
  machine.stack.push({ entry, scope, remember, node, children, next: 0, values: [], level: 0, applications });
  machine.work += 1;
  if (machine.repeatedFrom === Infinity) {
    machine.firstWork += 1;
  }
}

/** Moves a task on until it has a value, or until another task must finish first. */
function advance(machine: Machine, task: Task): Value | undefined {
  const { children, node, entry, values } = task;
  if (children === leaf) {
    task.next += 1;
    return task.next === 1 ? look(machine, node, task) : machine.delivered;
  }
  while (task.next < children.nodes.length) {
    const value = look(machine, children.nodes[task.next], task);
    if (value === undefined) {
      return undefined;
    }
    values.push(value);
    task.next += 1;
  }
  if (!task.applications) {
    const finished = finishNode(children, values, { entry, node }, machine.report);
    if (isValue(finished)) {
      return finished;
    }
    task.applications = finished;
  }
  const { pending, returned } = task.applications;
  while (returned.length < pending.length) {
    const next = pending[returned.length];
    const value = next ? apply(machine, next.function, next.inputs, task) : UNKNOWN;
    if (value === undefined) {
      return undefined;
    }
    returned.push(value);
  }
  return task.applications.finish(returned);
}

/** The value of a function's body; undefined if a task for it is on the stack now. */
function apply(
  machine: Machine,
  applied: FunctionValue,
  inputs: readonly Value[],
  task: Task,
): Value | undefined {
  const depth = (applied.scope?.depth ?? 0) + 1;
  if (applied.body === undefined || depth > MAX_DEPTH) {
    return UNKNOWN;
  }
  const names = applied.argumentNames;
  const scope: Scope = {
    names,
    values: names.map((_, index) => inputs[index] ?? UNKNOWN),
    parent: applied.scope,
    depth,
    shadows: applied.scope?.shadows === true || isShadowing(names, applied.scope),
  };
  // Its own arguments are no longer free in the call, so only those further outside count.
  raise(task, depth - 1);
  return lookAtEntry(machine, applied.body, scope, undefined);
}

function deliver(machine: Machine, task: Task, value: Value): void {
  const { stack, memos } = machine;
  stack.pop();
  if (task.remember) {
    memos.set(task.entry, { value, level: task.level, scope: task.scope });
  }
  if (stack.length <= machine.repeatedFrom) {
    machine.repeatedFrom = Infinity;
  }
  machine.delivered = value;
  const parent = stack.at(-1);
  if (!parent) {
    return;
  }
  if (parent.applications) {
    parent.applications.returned.push(value);
    return;
  }
  raise(parent, task.level);
  if (parent.children !== leaf) {
    parent.values.push(value);
    parent.next += 1;
  }
}

function raise(task: Task | undefined, level: number): void {
  if (task && task.level < level) {
    task.level = level;
  }
}

/** Whether an entry means the same here as where it was evaluated. */
function isValid({ level, scope: where }: Memo, here: Scope | undefined): boolean {
  if (level === 0 || where === here) {
    return true;
  }
  return !here?.shadows && !where?.shadows && ancestorAt(here, level) === ancestorAt(where, level);
}

function ancestorAt(scope: Scope | undefined, depth: number): Scope | undefined {
  let at = scope;
  while (at && at.depth > depth) {
    at = at.parent;
  }
  return at;
}

function isShadowing(names: readonly string[], outer: Scope | undefined): boolean {
  for (let at = outer; at; at = at.parent) {
    if (mayShareName(names, at.names)) {
      return true;
    }
  }
  return false;
}
