import type { WaitingFor } from '../../shared/model/record.ts';
import type { ShownState } from '../views/view.ts';
import { plural } from './plural.ts';

/** What states, reasons to wait, and deliveries are called, and what they mean. */

export const states: Readonly<Record<ShownState, { readonly label: string; readonly meaning: string }>> = {
  WAITING: { label: 'Waiting', meaning: 'The service has the job, but cannot send it to Earth Engine yet.' },
  SUBMITTING: { label: 'Submitting', meaning: 'The job is being sent to Earth Engine.' },
  PENDING: { label: 'Pending', meaning: "The job is in Earth Engine's queue." },
  RUNNING: { label: 'Running', meaning: 'Earth Engine is rendering the video.' },
  CANCELLING: { label: 'Canceling', meaning: 'The job was canceled, and Earth Engine has not ended it yet.' },
  SUCCEEDED: { label: 'Succeeded', meaning: 'Earth Engine has rendered the video.' },
  FAILED: { label: 'Failed', meaning: 'Earth Engine could not render the video.' },
  REJECTED: {
    label: 'Rejected',
    meaning: 'Earth Engine refused the request, or could not accept it for too long.',
  },
  LOST: {
    label: 'Lost',
    meaning: 'Earth Engine no longer knows the operation, or it is unknown whether it started one.',
  },
  CANCELLED: { label: 'Canceled', meaning: 'The job was canceled.' },
  UNREADABLE: {
    label: 'Unreadable',
    meaning: 'This version cannot read the record. A newer version may have written it.',
  },
};

export const waiting: Readonly<Record<WaitingFor, { readonly label: string; readonly why: string }>> = {
  QUEUE: {
    label: 'Queue is full',
    why: "Earth Engine's queue has no room. The job is sent as soon as there is, highest priority first.",
  },
  RATE: {
    label: 'Rate limit',
    why: 'Earth Engine asked for fewer requests. The job is sent when the gate opens again.',
  },
  QUOTA: {
    label: 'EECU quota',
    why: "The project's EECU quota is used up. Jobs are sent again after it resets.",
  },
  BUDGET: {
    label: 'Budget',
    why: 'A budget holds the job. It is sent when the budget has room: when its month turns, or its limit is raised.',
  },
  SERVICE: {
    label: 'Outage',
    why: 'Earth Engine does not respond as it should. The service tries again by itself.',
  },
  PERMISSION: {
    label: 'Permission',
    why: 'Earth Engine refuses the service account. Grant it access; the job is then sent by itself.',
  },
  ADOPTION: {
    label: 'Checking',
    why: 'A response was lost. The service checks whether Earth Engine already has the job before it sends it again.',
  },
};

export const delivery = {
  title: 'Video',
  play: (name: string) => `Video of ${name}`,
  states: {
    PENDING: { label: 'Not checked yet', meaning: 'The service looks for the video.' },
    VERIFIED: { label: 'Verified', meaning: 'Verified: it arrived, and it plays.' },
    SUSPECT: { label: 'Suspect', meaning: 'It arrived, but it is not what was requested.' },
    MISSING: { label: 'Missing', meaning: 'It did not arrive.' },
    AMBIGUOUS: { label: 'Ambiguous', meaning: 'More than one export may have written it.' },
    UNCHECKED: { label: 'Unchecked', meaning: 'The service cannot look at it.' },
  },
  frames: (frames: number, rate: number | undefined) =>
    `${plural(frames, 'frame')}${rate === undefined ? '' : ` at ${rate} per second`}`,
  size: (width: number, height: number) => `${width} × ${height}`,
  seconds: (seconds: number) => `${Number(seconds.toFixed(1)).toLocaleString('en')} s`,
  megabytes: (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`,
  checked: 'checked',
  copy: 'Copy',
} as const;
