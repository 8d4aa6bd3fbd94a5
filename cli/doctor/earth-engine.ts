import type { ProjectConfig } from '../../shared/earth-engine/project-config.ts';
import type { Clock } from '../../shared/clock.ts';
import { duration, printable } from '../text.ts';
import { type Finding, ok, problem } from './finding.ts';

/** Google rejects tokens when a clock is off by minutes; ages in lists are wrong well before that. */
const CLOCK_TOLERANCE_MS = 30_000;

/** What Earth Engine's response means for the project. */
export function judgeProject(project: string, answer: ProjectConfig): Finding {
  const check = 'Earth Engine';
  const { registration, refusal, httpStatus } = answer;
  const text = printable(refusal ?? '');
  switch (projectStatus(answer)) {
    case 'OK':
      return ok(check, `${project} is ${registrationText(registration)}`);
    case 'NOT_REGISTERED':
      return problem(
        check,
        'PROJECT_NOT_REGISTERED',
        `${project} is not registered for Earth Engine`,
        `Register it at https://console.cloud.google.com/earth-engine/configuration?project=${project}, or set EARTHENGINE_PROJECT to a registered project`,
      );
    case 'API_DISABLED':
      return problem(
        check,
        'API_DISABLED',
        `The Earth Engine API is disabled in ${project}`,
        `Run gcloud services enable earthengine.googleapis.com --project=${project}`,
      );
    case 'DENIED':
      return problem(
        check,
        'PROJECT_WRONG',
        `You may not use ${project}: ${text}`,
        'Check the project id (EARTHENGINE_PROJECT, or else GOOGLE_CLOUD_PROJECT). If it is right, ask for roles/serviceusage.serviceUsageConsumer on the project',
      );
    case 'UNKNOWN':
      return problem(
        check,
        'PROJECT_WRONG',
        `${project}: ${text}`,
        'Check the project id (EARTHENGINE_PROJECT, or else GOOGLE_CLOUD_PROJECT). If it is right, your account has no role on the project: ask for roles/earthengine.viewer. The account of the service needs roles/earthengine.writer',
      );
    case 'UNAUTHENTICATED':
      return problem(
        check,
        'CREDENTIALS_REFUSED',
        `HTTP ${httpStatus}: ${text}`,
        'Run gcloud auth application-default login',
      );
    case 'REFUSED':
      return problem(
        check,
        'EARTH_ENGINE_REFUSED',
        `HTTP ${httpStatus}: ${text}`,
        'Retry later; see https://status.earthengine.google.com',
      );
  }
}

/** What Earth Engine calls `REGISTERED_NOT_COMMERCIALLY`, in words. It may have other values some day. */
function registrationText(registration: string | undefined): string {
  switch (registration) {
    case undefined:
      return 'known';
    case 'REGISTERED_COMMERCIALLY':
      return 'registered for commercial use';
    case 'REGISTERED_NOT_COMMERCIALLY':
      return 'registered for noncommercial use';
    default:
      return registration.toLowerCase().replaceAll('_', ' ');
  }
}

/**
 * By Earth Engine's message, because its refusals of a project share one HTTP status. No other function of the doctor
 * reads messages.
 */
function projectStatus({ registration, refusal, httpStatus }: ProjectConfig) {
  if (registration === 'NOT_REGISTERED' || /not registered/i.test(refusal ?? '')) {
    return 'NOT_REGISTERED';
  }
  if (refusal === undefined) {
    return 'OK';
  }
  if (/has not been used|is disabled|SERVICE_DISABLED/i.test(refusal)) {
    return 'API_DISABLED';
  }
  if (/required permission to use project|USER_PROJECT_DENIED/i.test(refusal)) {
    return 'DENIED';
  }
  if (httpStatus === 404 || /may not exist|not found/i.test(refusal)) {
    return 'UNKNOWN';
  }
  return httpStatus === 401 ? 'UNAUTHENTICATED' : 'REFUSED';
}

/** This machine's clock, compared with the date of Earth Engine's response; `before` is when the request was sent. */
export function judgeClock(clock: Clock, answer: ProjectConfig, before: Date): Finding {
  const check = 'Clock';
  if (!answer.date) {
    return ok(check, 'Not compared: the response has no date');
  }
  // The header has whole seconds, and the response was on its way for a while.
  const after = clock.now().getTime();
  const early = before.getTime() - 1000 - answer.date.getTime();
  const late = answer.date.getTime() - after;
  const off = Math.max(early, late, 0);
  if (off <= CLOCK_TOLERANCE_MS) {
    return ok(check, 'Correct');
  }
  return problem(
    check,
    'CLOCK_OFF',
    `This machine's clock is ${duration(off)} ${early > late ? 'ahead' : 'behind'}`,
    'Set it by NTP (timedatectl set-ntp true); Google rejects credentials otherwise',
  );
}
