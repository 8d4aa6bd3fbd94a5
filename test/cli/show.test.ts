import { describe, expect, it } from 'vitest';

import { missingPermission } from '../../shared/record/missing-permission.ts';
import { sample } from '../record/samples.ts';
import { createRig, idOf, put, settings } from './rig.ts';

const at = (minute: number) => new Date(Date.UTC(2026, 10, 23, 11, minute));
const id = idOf('a');
const failing = (message: string) => ({ code: 403, status: 'PERMISSION_DENIED', message, retryable: true });

describe('show explains a wait', () => {
  it('for a permission: which account needs which role, the next try, and the deadline', async () => {
    const rig = createRig();
    rig.store.put('videoExportSettings/service', settings);
    put(
      rig,
      id,
      sample('WAITING', {
        jobKey: 'w',
        waitingFor: 'PERMISSION',
        serviceAccount: 'sender@my-project.iam.gserviceaccount.com',
        dueAt: at(64),
        outageSince: at(50),
        submissions: 2,
        error: failing(
          "Permission 'earthengine.exports.create' denied on resource 'projects/demo-ee' (or it may not exist).",
        ),
      }),
    );
    const { out } = await rig.run('show', 'w');
    expect(out).toMatch(
      /why +sender@my-project\S+ needs roles\/earthengine\.writer on the project demo-ee \(earthengine\.exports\.create\)$/m,
    );
    expect(out).toMatch(
      /fix +gcloud projects add-iam-policy-binding demo-ee --member=serviceAccount:sender@\S+ --role=roles\/earthengine\.writer$/m,
    );
    expect(out).toMatch(/next try +2026-11-23 12:04:00 UTC, in 4 min$/m);
    expect(out).toMatch(/tried +2 times$/m);
    // The settings of the service say one hour.
    expect(out).toMatch(/deadline +2026-11-23 12:50:00 UTC, in 50 min; then it is rejected$/m);
  });

  it('for the queue: how many wait, its priority, and when the gate opens', async () => {
    const rig = createRig();
    put(rig, id, sample('WAITING', { jobKey: 'w', waitingFor: 'QUEUE', priority: 7, dueAt: at(0) }));
    put(rig, idOf('b'), sample('WAITING', { waitingFor: 'QUEUE' }));
    rig.store.put('videoExportProjects/demo-ee', { closedUntil: at(63), closures: 1, updatedAt: at(0) });
    const { out } = await rig.run('show', 'w');
    expect(out).toMatch(/queue +2 jobs of demo-ee in line; higher priorities first, this one has 7$/m);
    expect(out).toMatch(/next try +2026-11-23 12:03:00 UTC, in 3 min$/m);
    expect(out).not.toContain('deadline');
  });
});

describe('show tells how long things took', () => {
  it('of a job that ended', async () => {
    const rig = createRig();
    put(
      rig,
      id,
      sample('SUCCEEDED', { createdAt: at(0), submittedAt: at(5), startedAt: at(20), finishedAt: at(50) }),
    );
    const { out } = await rig.run('show', id);
    expect(out).toMatch(/took +5 min waited, 15 min in the queue of Earth Engine, 30 min rendering$/m);
  });
});

describe('a missing permission', () => {
  const record = { project: 'p', serviceAccount: 'a@b', destination: 'gs://videos/x' };
  it.each([
    [
      'Project p is not registered to use Earth Engine. Visit …',
      'The project p is not registered for Earth Engine',
      'https://console.cloud.google.com/earth-engine/configuration?project=p',
    ],
    [
      'Caller does not have required permission … with the serviceusage.services.use permission.',
      'a@b needs roles/serviceusage.serviceUsageConsumer on the project p (serviceusage.services.use)',
      'gcloud projects add-iam-policy-binding p --member=serviceAccount:a@b --role=roles/serviceusage.serviceUsageConsumer',
    ],
    [
      'a@b does not have storage.objects.create access to the bucket.',
      'a@b needs roles/storage.objectUser on gs://videos (storage.objects.create)',
      'gcloud storage buckets add-iam-policy-binding gs://videos --member=serviceAccount:a@b --role=roles/storage.objectUser',
    ],
  ])('%s', (message, why, fix) => {
    expect(missingPermission(record, message)).toEqual({ why, fix });
  });

  it('in other words is shown as it is', () => {
    expect(missingPermission(record, 'No.')).toBeUndefined();
  });
});
