import type { Answer, ModelOperation, Request, World } from './world.ts';

/** Earth Engine in the model: every reply that the protocol knows, as long as the budget for it lasts. */

interface Reply {
  readonly what: string;
  readonly answer: Answer;
  readonly changed: Partial<World>;
}

const keyOf = ({ account, requestId }: Request): string => `${account} ${requestId}`;

/** The possible outcomes of a POST: answered, not answered, late, or lost. The best one comes first. */
export function accept(world: World, request: Request): Reply[] {
  const { budget, inFlight } = world;
  const replies = work(world, request);
  if (budget.unanswered === 0) {
    return replies;
  }
  const spent = { ...budget, unanswered: budget.unanswered - 1 };
  const answer: Answer = { kind: 'UNANSWERED' };
  return [
    ...replies,
    ...replies
      .filter((reply) => Object.keys(reply.changed).length > 0)
      .map(({ what, changed }) => ({
        what: `${what}, and the answer is lost`,
        answer,
        changed: { ...changed, budget: { ...(changed.budget ?? budget), unanswered: spent.unanswered } },
      })),
    { what: 'which is lost', answer, changed: { budget: spent } },
    { what: 'which is late', answer, changed: { budget: spent, inFlight: [...inFlight, request] } },
  ];
}

/** What Earth Engine does with a request that arrives. */
function work(world: World, request: Request): Reply[] {
  const { budget, ids, operations, inFlight } = world;
  const key = keyOf(request);
  const used: Reply[] = [{ what: 'which is refused as used', answer: { kind: 'USED' }, changed: {} }];
  const refusing =
    budget.refusal > 0
      ? used.map((reply) => ({ ...reply, changed: { budget: { ...budget, refusal: budget.refusal - 1 } } }))
      : [];
  if (ids[key] === 'USED_UP') {
    return used;
  }
  const known = operations.find((each) => keyOf(each) === key);
  if (known) {
    return [
      {
        what: 'which is answered with the same operation',
        answer: { kind: 'OPERATION', name: known.name },
        changed: {},
      },
      ...refusing,
    ];
  }
  const started: ModelOperation = {
    ...request,
    name: `projects/demo-model/operations/o${operations.length + 1}`,
    state: 'PENDING',
    cancelRequested: false,
  };
  const replies: Reply[] = [
    {
      what: 'which starts an operation',
      answer: { kind: 'OPERATION', name: started.name },
      changed: { operations: [...operations, started], ids: { ...ids, [key]: 'OPERATION' } },
    },
  ];
  if (inFlight.some((each) => keyOf(each) === key)) {
    // Earth Engine still works on the first request.
    replies.push(...refusing);
  }
  if (budget.queueFull > 0) {
    const spent = { ...budget, queueFull: budget.queueFull - 1 };
    const answer: Answer = { kind: 'FULL' };
    replies.push(
      { what: 'the queue is full', answer, changed: { budget: spent } },
      {
        what: 'the queue is full, and the id is used up',
        answer,
        changed: { budget: spent, ids: { ...ids, [key]: 'USED_UP' } },
      },
    );
  }
  if (budget.refusedForGood > 0) {
    const spent = { ...budget, refusedForGood: budget.refusedForGood - 1 };
    replies.push({
      what: 'which is refused for good',
      answer: { kind: 'REFUSED' },
      changed: { budget: spent },
    });
  }
  return replies;
}

/** A request that was in flight arrives. */
export function arrivals(world: World): { what: string; world: World }[] {
  return world.inFlight.flatMap((request, index) => {
    const rest = { ...world, inFlight: world.inFlight.filter((_, place) => place !== index) };
    return work(rest, request).map(({ what, changed }) => ({
      what: `a late request arrives, ${what}`,
      world: { ...rest, ...changed },
    }));
  });
}

/** An operation ends. */
export function endings(world: World): { what: string; world: World }[] {
  return world.operations.flatMap((operation, index) => {
    if (operation.state !== 'PENDING') {
      return [];
    }
    const state = operation.cancelRequested ? ('CANCELLED' as const) : ('SUCCEEDED' as const);
    const operations = world.operations.map((each, place) => (place === index ? { ...each, state } : each));
    return [{ what: `${operation.name} ends ${state}`, world: { ...world, operations } }];
  });
}
