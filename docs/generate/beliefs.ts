import { type Belief, probedBeliefs, unprobedBeliefs } from '../../cli/probe/beliefs.ts';

/** docs/earth-engine.md, from the list that `doctor --probe` checks. */

const evidence: Readonly<Record<Belief['evidence'], string>> = {
  documented: "Google's documentation",
  clients: 'the source of the official clients',
  field: 'field reports',
  inferred: 'inferred',
};

function table(beliefs: Readonly<Record<string, Belief>>): string {
  const rows = Object.entries(beliefs).map(
    ([id, each]) =>
      `| \`${id}\` | ${each.belief} | ${evidence[each.evidence]} | ${each.ifWrong} | ${each.adapts} |`,
  );
  return [
    '| id | belief | evidence | if it is wrong | what adapts to it |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

export const renderBeliefs = (): string =>
  `${[
    '# What the service believes about Earth Engine',
    'Earth Engine documents how to start an export, and little of what happens when a response is lost. `npm run docs` generates this page from the list in [beliefs.ts](../cli/probe/beliefs.ts): what the service assumes, how that is known, what breaks if it is wrong, and what adapts to it. Nothing here was tried against the live service by its authors, so check it in your project. The rules are those of [shared/README.md](../shared/README.md#rules).',
    '## Check it in your project',
    '`npx ee-video-exports doctor --probe PROJECT` starts one tiny export in this Earth Engine project, cancels it at once, and prints one line for each belief: it `holds`, it `fails`, or it is `unknown`. You need the right to start exports there, as with `roles/earthengine.writer`. If you remove the first line, which has the time, the report says nothing about your project: quote it in an issue. The exit code is 1 if a belief fails. If Earth Engine forgets request IDs, the probe starts a second export, and cancels it too.',
    'The export names the first bucket of `ALLOWED_DESTINATIONS`, or else `PROJECT-videos`; `--bucket` names another one. Nothing is written to it, because nothing is rendered.',
    '## Beliefs that the probe checks',
    table(probedBeliefs),
    '## Beliefs that one canceled export cannot show',
    table(unprobedBeliefs),
  ].join('\n\n')}\n`;
