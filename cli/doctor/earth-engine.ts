import type { ProjectConfig } from '../../shared/earth-engine/project-config.ts';
import type { Clock } from '../../shared/clock.ts';
import { duration, printable } from '../text.ts';
import { type Finding, ok, problem } from './finding.ts';

/** Tokens are refused when a clock is off by minutes, and ages in lists are wrong by less. */
const CLOCK_TOLERANCE_MS = 30_000;

/** What EE's answer says of the project. */
export function judgeProject(project: string, { registration, refusal, httpStatus }: ProjectConfig): Finding {
  const check = 'Earth Engine';
  const text = printable(refusal ?? '');
  if (registration === 'NOT_REGISTERED' || /not registered/i.test(text)) {
    return problem(
      check,
      'PROJECT_NOT_REGISTERED',
      `${project} is not registered for Earth Engine`,
      `register it at https://console.cloud.google.com/earth-engine/configuration?project=${project}, or set EARTHENGINE_PROJECT to one that is`,
    );
  }
  if (refusal === undefined) {
    return ok(check, `${project} is ${(registration ?? 'known').toLowerCase().replaceAll('_', ' ')}`);
  }
  if (/has not been used|is disabled|SERVICE_DISABLED/i.test(text)) {
    return problem(
      check,
      'API_DISABLED',
      `the Earth Engine API is disabled in ${project}`,
      `run gcloud services enable earthengine.googleapis.com --project=${project}`,
    );
  }
  if (/required permission to use project|USER_PROJECT_DENIED/i.test(text)) {
    return problem(
      check,
      'PROJECT_WRONG',
      `you may not use ${project}: ${text}`,
      'is the id right (EARTHENGINE_PROJECT, else GOOGLE_CLOUD_PROJECT)? Else ask for roles/serviceusage.serviceUsageConsumer on it',
    );
  }
  if (httpStatus === 404 || /may not exist|not found/i.test(text)) {
    return problem(
      check,
      'PROJECT_WRONG',
      `${project}: ${text}`,
      'check the id (EARTHENGINE_PROJECT, else GOOGLE_CLOUD_PROJECT), or ask for a role there, such as roles/earthengine.viewer',
    );
  }
  return problem(
    check,
    httpStatus === 401 ? 'CREDENTIALS_REFUSED' : 'EARTH_ENGINE_REFUSED',
    `HTTP ${httpStatus}: ${text}`,
    httpStatus === 401
      ? 'run gcloud auth application-default login'
      : 'try again later; https://status.earthengine.google.com',
  );
}

/** This machine's clock against the one that answered between two looks at it. */
export function judgeClock(clock: Clock, look: ProjectConfig, before: Date): Finding {
  const check = 'Clock';
  if (!look.date) {
    return ok(check, 'the answer had no date to compare with');
  }
  // The header has whole seconds, and the answer took its time.
  const after = clock.now().getTime();
  const early = before.getTime() - 1000 - look.date.getTime();
  const late = look.date.getTime() - after;
  const off = Math.max(early, late, 0);
  if (off <= CLOCK_TOLERANCE_MS) {
    return ok(check, 'right');
  }
  return problem(
    check,
    'CLOCK_OFF',
    `this machine's clock is ${duration(off)} ${early > late ? 'ahead' : 'behind'}`,
    'set it by NTP (timedatectl set-ntp true), or credentials are refused',
  );
}
