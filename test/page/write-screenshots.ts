import { importBundled } from './bundled.ts';

/* `npm run screenshots`: the images of the page in README and its guide. */

const { takeScreenshots } =
  await importBundled<typeof import('./screenshots.ts')>('test/page/screenshots.ts');
await takeScreenshots();
