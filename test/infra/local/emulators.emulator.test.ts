import { describe, expect, it } from 'vitest';

import { startEmulators } from '../../../infra/local/emulators.ts';
import { run, withoutEmulators } from '../../processes.ts';

const projectId = 'demo-emulators';

async function untilGone(host: string): Promise<void> {
  for (;;) {
    try {
      await fetch(`http://${host}/`);
    } catch {
      return;
    }
  }
}

describe('startEmulators', () => {
  it('starts and stops both', async () => {
    const emulators = await startEmulators({ projectId, environment: withoutEmulators });
    const { firestoreHost, pubsubHost } = emulators;
    for (const host of [firestoreHost, pubsubHost]) {
      expect((await fetch(`http://${host}/`)).ok).toBe(true);
    }
    expect(emulators.environment).toEqual({
      FIRESTORE_EMULATOR_HOST: firestoreHost,
      PUBSUB_EMULATOR_HOST: pubsubHost,
      GOOGLE_CLOUD_PROJECT: projectId,
      METADATA_SERVER_DETECTION: 'none',
    });
    await emulators.stop();
    for (const host of [firestoreHost, pubsubHost]) {
      await expect(fetch(`http://${host}/`)).rejects.toThrow();
    }
    await emulators.stop();
  });

  it('leaves nothing running when its process is killed', async () => {
    const module = JSON.stringify(new URL('../../../infra/local/emulators.ts', import.meta.url).href);
    const script = `
      const { startEmulators } = await import(${module});
      const { firestoreHost, pubsubHost } = await startEmulators({ projectId: 'demo-killed' });
      console.log(firestoreHost, pubsubHost);
      setInterval(() => {}, 1000);`;
    const starter = run(process.execPath, ['--input-type=module', '-e', script], withoutEmulators);
    await starter.printed('\n');
    const hosts = starter.output().trim().split(' ');
    for (const host of hosts) {
      expect((await fetch(`http://${host}/`)).ok).toBe(true);
    }
    starter.process.kill('SIGKILL');
    await Promise.all(hosts.map(untilGone));
  });

  it('uses emulators that are already running, and does not stop them', async () => {
    const running = { FIRESTORE_EMULATOR_HOST: '127.0.0.1:1', PUBSUB_EMULATOR_HOST: '127.0.0.1:2' };
    const emulators = await startEmulators({ projectId, environment: running });
    expect([emulators.firestoreHost, emulators.pubsubHost]).toEqual(['127.0.0.1:1', '127.0.0.1:2']);
    await emulators.stop();
  });

  it('explains how to install them if they are missing', async () => {
    const bare = { PATH: '/nowhere', PUBSUB_EMULATOR_HOST: '127.0.0.1:2' };
    await expect(startEmulators({ projectId, environment: bare })).rejects.toMatchObject({
      code: 'EMULATORS_UNAVAILABLE',
      message: expect.stringMatching(/Java is not on PATH[^]*gcloud components install[^]*apt-get install/),
    });
  });
});
