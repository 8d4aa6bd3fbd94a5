import type { Finding } from '../../model/finding.ts';

/**
 * Every code of a finding, with its severity. An error is certain and has a source, which docs/checks.md names; whatever is
 * only likely is a warning.
 */
export const codes = {
  RESULT_NOT_IMAGE_COLLECTION: 'ERROR',
  NOT_THREE_BANDS: 'ERROR',
  NOT_8_BIT: 'ERROR',
  TOO_MANY_FRAMES: 'ERROR',
  TOO_MANY_PIXELS: 'ERROR',
  MISSING_ARGUMENT: 'ERROR',
  UNKNOWN_ARGUMENT: 'ERROR',
  WRONG_ARGUMENT_TYPE: 'ERROR',
  UNKNOWN_ALGORITHM: 'WARNING',
  UI_ONLY: 'WARNING',
  DEPRECATED_ASSET: 'WARNING',
  NO_REGION: 'WARNING',
  EMPTY_DATE_RANGE: 'WARNING',
  ODD_FRAME_SIZE: 'WARNING',
  FILE_NAME_IN_USE: 'WARNING',
} as const satisfies Record<string, Finding['severity']>;

export type Code = keyof typeof codes;
