import { type Mutant, mutantsOf } from '../mutant.ts';

const rules = ['test/submission/rules-following.test.ts', 'test/submission/rules-sending.test.ts'];
const hostile = ['test/submission/hostile-answers.test.ts', 'test/submission/hostile-world.test.ts'];
const transitions = 'test/record/transitions.test.ts';
const gate = 'test/scale/gate.test.ts';
const isolation = 'test/scale/isolation.simulation.test.ts';
/** A search that came to nothing counts as one that found nothing. */
const nothingFound =
  'return { none: { ...listings.since(record.project, new Date(0)), endedAt: run.clock.now() } as CompleteListing };';

/** Following operations, sweeps, the gate, and what keeps one record or project from holding up others. */
export const polling: readonly Mutant[] = [
  ...mutantsOf('shared/polling/projects.ts', rules, [
    {
      name: 'one-project-stops-all',
      removes: 'a project that fails does not stop the run',
      find: "run.log.error('project.failed', error, { project });",
      replace: 'throw error;',
      tests: [isolation, ...hostile],
    },
    {
      name: 'slowest-project-first',
      removes: 'with many projects, each run starts with another one',
      find: 'if (projects.length <= PROJECTS_AT_ONCE) {',
      replace: 'if (projects.length > 0) {',
      tests: ['test/polling/fan-out.test.ts'],
    },
  ]),
  ...mutantsOf(
    'shared/polling/poll-project.ts',
    ['test/polling/fan-out.test.ts'],
    [
      {
        name: 'two-polls-of-a-project',
        removes: 'a project is polled by one run at a time',
        find: '!poller || poller.leaseUntil <= now',
        replace: '!poller || poller.leaseUntil <= later(now, MINUTE_MS)',
      },
      {
        name: 'stale-polls',
        removes: 'messages that pile up are not all handled',
        find: 'if (ageMs > STALE_MS) {',
        replace: 'if (ageMs > STALE_MS * 1e6) {',
      },
      {
        name: 'poll-after-its-lease',
        removes: 'the poll of a project ends before its lease',
        find: 'Math.min(sweepMs, config.pollBudgetMs)',
        replace: 'config.pollBudgetMs',
      },
      {
        name: 'poll-without-the-lease',
        removes: 'a poll that did not get the lease does nothing',
        find: 'return status.poller?.token === token ? status : undefined;',
        replace: 'return status;',
      },
      {
        name: 'late-poll-keeps-the-lease',
        removes: 'the lease of a poll whose message waited long is over when the next message arrives',
        find: 'Math.min(LONGEST_SWEEP_MS, leftMs)',
        replace: 'LONGEST_SWEEP_MS',
      },
      {
        name: 'sweeps-wait-for-queues',
        removes: 'a project is swept although the queues of others take all the time',
        find: 'const isPassedOn = await passOn(run, project, { token, until: later(now, leftMs) });',
        replace: 'const isPassedOn = false;',
        tests: ['test/scale/fleet.simulation.test.ts'],
      },
      {
        name: 'queue-fed-twice',
        removes: 'one run feeds a queue, although its message is delivered twice',
        find: '({ poller }) => poller?.token === token))',
        replace: '({ poller }) => poller !== undefined))',
      },
      {
        name: 'queue-fed-beside-its-message',
        removes: 'a sweep does not feed beside the run for a message whose publishing got no response',
        find: '(await continueLease(services, project, token, until))',
        replace: 'true',
      },
      {
        name: 'queue-fed-for-hours',
        removes: 'a project is taken for a minute at most, whatever a message says',
        find: 'Math.min(passed.until.getTime() - now.getTime(), MINUTE_ENDS_MS)',
        replace: 'passed.until.getTime() - now.getTime()',
      },
      {
        name: 'queue-fed-into-the-next-minute',
        removes: 'a run that feeds a queue ends before the next poll of the project',
        find: 'Math.min(leftMs, config.pollBudgetMs)',
        replace: 'config.pollBudgetMs',
      },
      {
        name: 'queues-left-forever',
        removes: 'queues are fed although sweeps take the whole minute',
        find: 'if (until.getTime() - clock.now().getTime() < SHORTEST_FEED_MS) {\n    return false;',
        replace: 'if (until.getTime() - clock.now().getTime() < SHORTEST_FEED_MS) {\n    return true;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/refill.ts',
    ['test/polling/refill.test.ts'],
    [
      {
        name: 'queue-runs-dry',
        removes: 'a queue that would run dry before the next run is fed again',
        find: 'while (fed.isWaiting && !run.isOver()) {',
        replace: 'while (fed.isWaiting && run.isOver()) {',
      },
      {
        name: 'refill-into-the-next-run',
        removes: 'a run that feeds a queue again ends before the next one begins',
        find: ' || later(clock.now(), pauseMs) >= end',
        replace: '',
      },
      {
        name: 'refill-past-the-lease',
        removes: 'the poll of one project does not feed its queue again after its lease',
        find: 'interval < run.ends.run ? interval : run.ends.run',
        replace: 'interval',
        tests: ['test/polling/fan-out.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/fan-out.ts',
    ['test/polling/fan-out.test.ts'],
    [
      {
        name: 'lost-fan-out',
        removes: 'projects whose messages are not accepted are polled all the same',
        find: 'projects: projects.length });\n    return false;',
        replace: 'projects: projects.length });\n    return true;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/record/observe.ts',
    [transitions, ...rules],
    [
      {
        name: 'cancellation-not-repeated',
        removes: 'a cancellation is repeated soon if its process dies before it asks Earth Engine',
        rule: 8,
        find: "cancelRequestedAt === undefined || state === 'CANCELLING' ? dueAt :",
        replace: 'cancelRequestedAt !== moment.now ? dueAt :',
        tests: ['test/submission/rules-following.test.ts'],
      },
      {
        name: 'lost-too-early',
        removes: 'two 404s are at least T apart',
        rule: 10,
        find: 'now.getTime() - record.missingSince.getTime() >= policy.absenceMs',
        replace: 'now.getTime() >= record.missingSince.getTime()',
      },
      {
        name: 'operation-renamed',
        removes: 'the operation keeps the name that it was recorded under',
        rule: 2,
        find: ', operation: record.operation };',
        replace: ' };',
        tests: [transitions, ...hostile],
      },
      {
        name: 'small-steps',
        removes: 'small steps are signs of life',
        find: '(moved && now.getTime() - record.movedAt.getTime() >= policy.stalledMs / 4)',
        replace: 'false',
        tests: ['test/scale/watchdog.test.ts', transitions],
      },
      {
        name: 'stalled-told-again',
        removes: 'a stalled operation is reported once',
        find: '    record.stalledSince === undefined &&\n',
        replace: '',
        tests: ['test/scale/watchdog.test.ts', transitions],
      },
      {
        name: 'found-again-still-missing',
        removes: 'an operation that is found again is no longer missing',
        rule: 10,
        find: ' && record.missingSince === undefined) {',
        replace: ') {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/record/operation-state.ts',
    [transitions],
    [
      {
        name: 'ended-with-neither',
        removes: 'an operation that ended with neither response nor error is no success',
        find: "operation.hasResponse || operation.state === 'SUCCEEDED' || operation.destinationUris.length > 0",
        replace: 'operation.done',
      },
      {
        name: 'canceled-told-as-failed',
        removes: 'a canceled operation has not failed',
        find: "operation.error.code === rpcCodes.CANCELLED || operation.state === 'CANCELLED'",
        replace: "operation.state === 'CANCELLED'",
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/follow.ts',
    ['test/polling/follow.test.ts', ...rules],
    [
      {
        name: 'lost-without-list',
        removes: 'a complete list is read between the two 404s',
        rule: 10,
        find: 'if (!isLostOn404(record, run.policy, run.clock.now()) || record.missingSince === undefined) {',
        replace: 'if (record.missingSince === undefined || record.missingSince <= run.clock.now()) {',
      },
      {
        name: 'lost-with-half-a-list',
        removes: 'a list that was not read to its end does not make a record LOST',
        rule: 10,
        find: "if (listed === 'UNFINISHED') {",
        replace: "if (listed === 'UNFINISHED' && run.isOver()) {",
      },
      {
        name: 'first-404-forgotten',
        removes: 'a later 404 does not move the first one',
        rule: 10,
        find: 'record.missingSince === undefined ? noteMissing',
        replace: 'record.dueAt <= now ? noteMissing',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/resume.ts',
    ['test/polling/resume.test.ts', ...rules],
    [
      {
        name: 'search-before-the-lease-ended',
        removes: 'a search starts after the lease of the last sender',
        rule: 5,
        find: 'const since = lastSendEndedAt(record);',
        replace: 'const since = record.createdAt;',
      },
      {
        name: 'time-for-a-proof-not-begun',
        removes: 'an unfinished search begins the time for a proof',
        rule: 7,
        find: 'return isKnown && !isUnsettledTooLong(record, policy, clock.now())',
        replace: 'return clock.now() > new Date(0)',
        tests: ['test/scale/long-lists.test.ts'],
      },
      {
        name: 'unfinished-search-without-end',
        removes: 'a record whose searches never end is LOST',
        rule: 7,
        find: 'isKnown && !isUnsettledTooLong(record, policy, clock.now())',
        replace: 'isKnown',
        tests: ['test/scale/long-lists.test.ts'],
      },
      {
        name: 'half-a-search',
        removes: 'a search that was not finished proves nothing',
        rule: 5,
        find: 'return awaitSearch(run, stored, record);',
        replace: nothingFound,
      },
      {
        name: 'failed-search',
        removes: 'a search that failed sends nothing',
        rule: 4,
        find: 'return waitOut(run, stored, record, error);',
        replace: nothingFound,
      },
      {
        name: 'found-but-sent',
        removes: 'an operation that a search found is adopted',
        rule: 4,
        find: "if ('none' in searched) {",
        replace: `if ('found' in searched && !searched.found.operation.done) {\n    ${nothingFound}\n  }\n  if ('none' in searched) {`,
      },
      {
        name: 'bytes-read-after-the-claim',
        removes: 'the bytes are read before the claim is written',
        rule: 2,
        find: 'const isHeld = isHeldBack(claimed, serviceAccount);',
        replace:
          'const isHeld = isHeldBack(claimed, serviceAccount);\n  await replaceRecord(run, stored, claimed);',
      },
      {
        name: 'other-account-not-searched',
        removes: "another account's sends are searched for",
        rule: 11,
        find: 'mayHaveUnknownOperation(record) || sentByOtherAccount(record, serviceAccount)',
        replace: 'mayHaveUnknownOperation(record)',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/sweep-project.ts',
    ['test/polling/sweep-project.test.ts', ...rules, ...hostile],
    [
      {
        name: 'sweep-without-active-records',
        removes: 'a project with an unanswered send is swept even if nothing is active',
        rule: 9,
        find: 'if (active === 0 && unanswered === 0) {',
        replace: 'if (active === 0) {',
      },
      {
        name: 'unanswered-not-swept',
        removes: 'a project with an unanswered send is read to its end',
        rule: 9,
        find: 'unanswered > 0 || isLongAgo(run, last?.completedAt)',
        replace: 'isLongAgo(run, last?.completedAt)',
      },
      {
        name: 'never-read-whole',
        removes: 'the whole list is read once in a while',
        rule: 9,
        find: 'unanswered > 0 || isLongAgo(run, last?.completedAt)',
        replace: 'unanswered > 0',
      },
      {
        name: 'failed-write-not-due',
        removes: 'a record whose write failed is due at once',
        rule: 12,
        find: 'await markDueAtOnce(run, stored);',
        replace: '',
      },
      {
        name: 'failed-write-remembered',
        removes: 'a sweep forgets what it could not write',
        rule: 12,
        find: 'await markDueAtOnce(run, stored);\n    return undefined;',
        replace: 'await markDueAtOnce(run, stored);\n    return stored.value;',
      },
      {
        name: 'marker-in-another-project',
        removes: 'a marker in another project is a copy',
        rule: 9,
        find: 'if (found?.value.project !== project) {',
        replace: 'if (!found) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/sweep-snapshot.ts',
    ['test/polling/sweep-snapshot.test.ts'],
    [
      {
        name: 'ended-while-listed',
        removes: 'an ending is skipped only T after a complete sweep',
        rule: 12,
        find: 'operation.endTime.getTime() < sweep.completedAt.getTime() - policy.absenceMs',
        replace: 'operation.endTime.getTime() < sweep.completedAt.getTime()',
      },
      {
        name: 'progress-not-news',
        removes: 'a tenth of progress is news',
        find: 'return Math.abs(hundredths - (entry % STATE)) >= 10;',
        replace: 'return false;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/submission/gate.ts',
    ['test/submission/gate.test.ts', gate, ...rules],
    [
      {
        name: 'gate-without-end',
        removes: 'the gate may be probed when its time is over',
        rule: 14,
        find: 'status.closedUntil > now ||',
        replace: 'status.closedFor !== undefined ||',
      },
      {
        name: 'probe-without-lease',
        removes: 'a prober that died gives up the probe',
        rule: 14,
        find: 'status.probe.leaseUntil > now && ',
        replace: '',
      },
      {
        name: 'two-probes',
        removes: 'one process probes at a time',
        rule: 14,
        find: '(status.probe && status.probe.leaseUntil > now && status.probe.token !== token)',
        replace: 'false',
      },
      {
        name: 'closed-twice',
        removes: 'many refusals at once double the wait once',
        rule: 14,
        find: 'if (stillClosed || (',
        replace: 'if ((',
      },
      {
        name: 'closures-not-counted',
        removes: 'a gate that closes again waits longer',
        rule: 14,
        find: 'closures: current.closures + 1',
        replace: 'closures: current.closures',
      },
      {
        name: 'closures-not-reset',
        removes: 'an open gate starts with the shortest wait again',
        rule: 14,
        find: 'return { ...rest, closures: 0 };',
        replace: 'return rest;',
      },
      {
        name: 'new-jobs-overtake',
        removes: 'a new job waits behind those that wait',
        find: ': queued.some(isReadable)',
        replace: ': queued.length > 2',
      },
      {
        name: 'instance-overfills',
        removes: 'an instance counts what it sends against the free slots',
        find: 'seen.room -= 1;',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/submission/note-operation.ts',
    ['test/polling/sweep-project.test.ts'],
    [
      {
        name: 'claim-made-due',
        removes: 'a claim is never due before its lease ends',
        rule: 12,
        find: "(record.state === 'WAITING' || isActive(record)) && record.dueAt > now\n        ? markDue(record, now)",
        replace:
          "(record.state === 'SUBMITTING' || isActive(record)) && record.dueAt > now\n        ? markDue(record as never, now)",
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/poll.ts',
    ['test/scale/pace.simulation.test.ts'],
    [
      {
        name: 'videos-before-the-queue',
        removes: 'looking for videos does not keep a run from feeding the queues',
        rule: 14,
        find: 'run.isOver() || run.clock.now() >= end)',
        replace: 'run.isOver())',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/poll.ts',
    [...rules],
    [
      {
        name: 'overdue-claims-last',
        removes: 'overdue claims never wait behind waiting jobs',
        rule: 14,
        find: 'eachDue(run, overdueClaims, known),',
        replace: 'Promise.resolve([]),',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/feed.ts',
    [gate],
    [
      {
        name: 'unused-probe-kept',
        removes: 'a probe that was not used does not keep others from probing',
        rule: 14,
        find: 'await endUnusedProbes(run);\n',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/due.ts',
    [isolation, ...hostile],
    [
      {
        name: 'one-failure-stops-all',
        removes: 'a record that fails does not stop the run',
        find: "    await recordFailed(run, found, error, { purpose: 'due', startedAt });\n    return true;",
        replace: '    throw error;',
      },
      {
        name: 'work-after-the-budget',
        removes: 'the budget of a run ends its work',
        find: '  if (run.isOver(kind.part)) {\n    return false;\n  }\n',
        replace: '',
        tests: ['test/polling/feed.test.ts'],
      },
      {
        name: 'closed-gate-read-every-poll',
        removes: 'jobs behind a closed gate are not read by every poll',
        find: 'if (!allWorkedOn && page.length === PAGE && kind.queryOf) {',
        replace: 'if (foundAny === null && kind.queryOf) {',
        tests: ['test/scale/closed-gate.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/poll-run.ts',
    ['test/polling/feed.test.ts'],
    [
      {
        name: 'slow-search-not-left',
        removes: 'a slow list leaves time for due records and queues',
        find: 'searches: later(startedAt, budgetMs / 2)',
        replace: 'searches: later(startedAt, budgetMs)',
      },
      {
        name: 'slow-sweep-not-left',
        removes: 'a slow sweep leaves time for due records and queues',
        find: 'sweeps: later(startedAt, budgetMs / 3)',
        replace: 'sweeps: later(startedAt, budgetMs)',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/project-failures.ts',
    ['test/polling/project-failures.test.ts'],
    [
      {
        name: 'silent-project-not-left',
        removes: 'a silent project does not take the time of others',
        find: ' || row.tookMs >= config.pollBudgetMs * MAX_SHARE',
        replace: '',
      },
      {
        name: 'failing-records-not-left',
        removes: 'records that fail quickly end their turn',
        find: 'row.count >= MAX_IN_A_ROW[purpose] || ',
        replace: '',
      },
      {
        name: 'due-failures-stop-the-queue',
        removes: 'due records that fail do not stop the queue',
        rule: 14,
        find: '`${purpose} ${project}`',
        replace: "`${purpose.length > 9 ? purpose : ''} ${project}`",
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/project-gate.ts',
    ['test/polling/feed.test.ts', gate, 'test/scale/closed-gate.test.ts', ...rules],
    [
      {
        name: 'no-search-without-slot',
        removes: 'a record with an unanswered send is searched for while there is no slot',
        rule: 7,
        find: 'return searchWithoutSlot(run, stored, purpose);',
        replace: 'return false;',
        tests: ['test/submission/outcome-unknown.test.ts'],
      },
      {
        name: 'queue-does-not-probe',
        removes: 'the head of the queue probes before due records',
        rule: 14,
        find: "if (feeding === 'PROBE') {\n    await probeFromQueue(run, project, gate);\n  }",
        replace: '',
        tests: [gate],
      },
      {
        name: 'others-follow-the-probe',
        removes: 'nothing is sent until the probe is answered',
        rule: 14,
        find: '  while (gate.probing) {\n    await gate.probing;\n  }\n',
        replace: '',
        tests: ['test/polling/feed.test.ts'],
      },
      {
        name: 'canceled-job-behind-the-gate',
        removes: 'a canceled job takes no slot and does not wait behind a closed gate',
        rule: 8,
        find: 'if (isInSubmission(record) && isHeldBack(record, record.serviceAccount)) {',
        replace: "if (record.state === 'SUBMITTING') {",
        tests: ['test/polling/feed.test.ts'],
      },
      {
        name: 'more-than-there-is-room',
        removes: 'MAX_ACTIVE_OPERATIONS limits what the poller sends',
        find: "if (gate.feeding === 'CLOSED' || gate.room <= 0) {\n    return searchWithoutSlot(run, stored, purpose);",
        replace: "if (gate.feeding === 'CLOSED') {\n    return searchWithoutSlot(run, stored, purpose);",
        tests: ['test/polling/feed.test.ts'],
      },
      {
        name: 'refused-record-keeps-the-gate',
        removes: 'the next record probes if work on the first one fails',
        rule: 14,
        find: "  while (gate.feeding === 'PROBE' && !run.isOver() && !isFailing(run, project, 'feed')) {",
        replace: "  for (let tries = 0; tries < 1 && gate.feeding === 'PROBE'; tries += 1) {",
        tests: [gate],
      },
    ],
  ),
];
