import { checkManifest } from '../../shared/batch/check-expansion.ts';
import { type CheckedRequest, checkVideo } from '../../shared/expression/check/check-video.ts';
import type { PlacedFinding } from '../../shared/expression/check/report.ts';
import { readExpression } from '../../shared/expression/read-expression.ts';
import { isJsonObject, type JsonObject } from '../../shared/json.ts';
import { type JobRules, parseJobMessage } from '../../shared/message/job-message.ts';
import type { Finding } from '../../shared/model/finding.ts';
import type { Issue } from '../../shared/model/rejected-message.ts';
import type { Cli } from '../cli.ts';
import { writeJson } from '../output.ts';
import { layOutCode, writeCode, writeFinding } from '../code/snippet.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readInput, readJson, writeFindings, writeIssues } from '../input.ts';
import { plural } from '../text.ts';

/** What is found in one file. */
interface Checked {
  /** Why it is not even a message. */
  readonly reason?: string;
  readonly issues: readonly Issue[];
  readonly findings: readonly Finding[];
  /** Present if the findings are about one graph, which can be shown. */
  readonly graph?: { readonly expression: object; readonly placed: readonly PlacedFinding[] };
}

/** Which projects and buckets are allowed is not known here, and has nothing to do with the graph. */
const rules: JobRules = {
  defaultProject: 'my-project',
  allowedProjects: ['*'],
  allowedDestinations: ['*'],
  graphCheck: 'off',
};

export async function check(cli: Cli, files: readonly string[]): Promise<ExitCode> {
  let isWrong = false;
  for (const file of files) {
    const reading = readJson(await readInput(cli, file));
    const checked =
      'issues' in reading
        ? { reason: 'INVALID_DATA', issues: reading.issues, findings: [] }
        : await checkJson(cli, reading.json);
    write(cli, file, checked);
    isWrong ||= checked.issues.length > 0 || checked.findings.some(({ severity }) => severity === 'ERROR');
  }
  return isWrong ? exitCodes.WRONG_INPUT : exitCodes.DONE;
}

async function checkJson(cli: Cli, json: unknown): Promise<Checked> {
  if (isJsonObject(json) && Object.hasOwn(json, 'job') && !Object.hasOwn(json, 'request')) {
    const checked = await checkManifest(json, cli.clock.now(), { ...rules, graphCheck: 'warn' });
    return 'issues' in checked
      ? { reason: 'INVALID_MANIFEST', issues: checked.issues, findings: [] }
      : { issues: [], findings: checked.findings };
  }
  if (isJsonObject(json) && Object.hasOwn(json, 'result') && Object.hasOwn(json, 'values')) {
    const reading = readExpression(json);
    return 'issues' in reading
      ? { reason: 'INVALID_EXPRESSION', issues: reading.issues, findings: [] }
      : checkRequest({ expression: json });
  }
  const message = messageOf(json);
  const reading = parseJobMessage(message, rules);
  return 'issues' in reading
    ? { reason: 'INVALID_JOB', issues: reading.issues, findings: [] }
    : checkRequest(reading.job.request);
}

/** A request, as a client sends it, is a message without an identity of its own. */
function messageOf(json: unknown): unknown {
  if (!isJsonObject(json) || Object.hasOwn(json, 'request') || !Object.hasOwn(json, 'expression')) {
    return json;
  }
  const { requestId: _derived, ...request } = json;
  return { request };
}

function checkRequest(request: CheckedRequest): Checked {
  const placed = checkVideo(request);
  const findings = placed.map(withoutPlace);
  return { issues: [], findings, graph: { expression: request.expression as object, placed } };
}

const withoutPlace = ({ place: _place, ...finding }: PlacedFinding): Finding => finding;

function write(cli: Cli, file: string, { reason, issues, findings, graph }: Checked): void {
  const { terminal } = cli;
  if (cli.json) {
    writeJson(cli, { file, reason, issues, findings });
    return;
  }
  if (reason !== undefined) {
    writeIssues(cli, file, reason, issues);
    return;
  }
  const errors = findings.filter(({ severity }) => severity === 'ERROR').length;
  const warnings = findings.length - errors;
  const counts = [
    ...(errors > 0 ? [plural(errors, 'error')] : []),
    ...(warnings > 0 ? [plural(warnings, 'warning')] : []),
  ];
  terminal.out(`${file}: ${counts.join(', ') || 'nothing found'}`);
  if (!graph) {
    writeFindings(cli, file, findings);
    return;
  }
  if (graph.placed.length > 0) {
    const shown = layOutCode(terminal, graph.expression);
    for (const finding of graph.placed) {
      terminal.out('');
      writeFinding(terminal, shown, finding);
    }
  }
}

/** The expression of a stored request as code, with what is found in it. */
export function showCode(cli: Cli, request: unknown): void {
  const { expression, videoOptions } = request as CheckedRequest & JsonObject;
  const findings = checkVideo({ expression, videoOptions });
  if (cli.json) {
    const { layout } = layOutCode(cli.terminal, expression as object);
    writeJson(cli, { code: layout.lines, findings: findings.map(withoutPlace) });
  } else {
    writeCode(cli.terminal, layOutCode(cli.terminal, expression as object), findings);
  }
}
