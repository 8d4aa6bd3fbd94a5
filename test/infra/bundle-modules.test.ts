import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { buildTarget } from '../../infra/build.ts';

/** Each start reads and compiles the main file, so what is needed only for a video is in files of its own. */
it('the main file of pollExports contains nothing that reads videos', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  try {
    const modules = await buildTarget('pollExports', folder);
    expect(modules).toContain('shared/delivery/verify.ts');
    expect(modules).toContain('node_modules/@google-cloud/firestore/build/src/index.js');
    const unwanted =
      /node_modules\/(?:mp4box|@google-cloud\/storage|fast-xml-parser)\/|shared\/storage\/client|video\/worker\.ts/;
    expect(modules.filter((path) => unwanted.test(path))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
