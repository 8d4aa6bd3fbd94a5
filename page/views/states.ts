import type { DeliveryState } from '../../shared/model/delivery.ts';
import type { RecordState } from '../../shared/model/record.ts';
import type { ShownState } from './view.ts';

/** How a state looks. Its name is always next to the color. */
export type Tone = 'waiting' | 'queued' | 'active' | 'good' | 'bad' | 'ended';

/**
 * In the order in which a job passes through them. Not from the model, which would load zod in the browser: a new state does not
 * compile until it is here.
 */
const tones: Readonly<Record<RecordState, Tone>> = {
  WAITING: 'waiting',
  SUBMITTING: 'queued',
  PENDING: 'queued',
  RUNNING: 'active',
  CANCELLING: 'ended',
  SUCCEEDED: 'good',
  FAILED: 'bad',
  REJECTED: 'bad',
  LOST: 'bad',
  CANCELLED: 'ended',
};

export const recordStates = Object.keys(tones) as readonly RecordState[];

/** How the delivery of a video looks, the most urgent first. */
export const deliveryTones: Readonly<Record<DeliveryState, Tone>> = {
  MISSING: 'bad',
  SUSPECT: 'bad',
  AMBIGUOUS: 'waiting',
  PENDING: 'queued',
  UNCHECKED: 'ended',
  VERIFIED: 'good',
};

export const deliveryStates = Object.keys(deliveryTones) as readonly DeliveryState[];

export const toneOf = (state: ShownState): Tone => (state === 'UNREADABLE' ? 'bad' : tones[state]);
