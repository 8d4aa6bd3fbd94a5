import type { Answer, ModelOperation, Request, World } from './world.ts';

/** Earth Engine as the model has it: every reply that the protocol knows, as long as the budget for it lasts. */

interface Reply {
  readonly what: string;
  readonly answer: Answer;
  readonly changed: Partial<World>;
}

const keyOf = ({ account, requestId }: Request): string => `${account} ${requestId}`;

/** What may come of a POST: heard, unheard, late or lost. The kindest comes first. */
export function accept(world: World, request: Request): Reply[] {
  const { budget, onTheWay } = world;
  const sendOutcome = work(world, request);
  if (budget.unanswered === 0) {
    return sendOutcome;
  }
  const spent = { ...budget, unanswered: budget.unanswered - 1 };
  const answer: Answer = { kind: 'UNANSWERED' };
  return [
    ...sendOutcome,
    ...sendOutcome
      .filter((reply) => Object.keys(reply.changed).length > 0)
      .map(({ what, changed }) => ({
        what: `${what}, and the answer is lost`,
        answer,
        changed: { ...changed, budget: { ...(changed.budget ?? budget), unanswered: spent.unanswered } },
      })),
    { what: 'which is lost', answer, changed: { budget: spent } },
    { what: 'which is late', answer, changed: { budget: spent, onTheWay: [...onTheWay, request] } },
  ];
}

/** What EE does with a request that arrives. */
function work(world: World, request: Request): Reply[] {
  const { budget, ids, operations, onTheWay } = world;
  const key = keyOf(request);
  const used: Reply[] = [{ what: 'which EE refuses as used', answer: { kind: 'USED' }, changed: {} }];
  const refusing =
    budget.refusal > 0
      ? used.map((reply) => ({ ...reply, changed: { budget: { ...budget, refusal: budget.refusal - 1 } } }))
      : [];
  if (ids[key] === 'BURNT') {
    return used;
  }
  const known = operations.find((each) => keyOf(each) === key);
  if (known) {
    return [
      { what: 'which EE replays', answer: { kind: 'OPERATION', name: known.name }, changed: {} },
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
      what: 'which EE starts',
      answer: { kind: 'OPERATION', name: started.name },
      changed: { operations: [...operations, started], ids: { ...ids, [key]: 'OPERATION' } },
    },
  ];
  if (onTheWay.some((each) => keyOf(each) === key)) {
    // It still works on the first.
    replies.push(...refusing);
  }
  if (budget.queueFull > 0) {
    const spent = { ...budget, queueFull: budget.queueFull - 1 };
    const answer: Answer = { kind: 'FULL' };
    replies.push(
      { what: 'the queue is full', answer, changed: { budget: spent } },
      {
        what: 'the queue is full, the id burnt',
        answer,
        changed: { budget: spent, ids: { ...ids, [key]: 'BURNT' } },
      },
    );
  }
  if (budget.refusedForGood > 0) {
    const spent = { ...budget, refusedForGood: budget.refusedForGood - 1 };
    replies.push({ what: 'EE refuses it for good', answer: { kind: 'REFUSED' }, changed: { budget: spent } });
  }
  return replies;
}

/** A request that was on its way arrives. */
export function arrivals(world: World): { what: string; world: World }[] {
  return world.onTheWay.flatMap((request, index) => {
    const rest = { ...world, onTheWay: world.onTheWay.filter((_, place) => place !== index) };
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
