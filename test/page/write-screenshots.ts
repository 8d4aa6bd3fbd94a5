import { importBundled } from './bundled.ts';
import type * as screenshots from './screenshots.ts';

/* `npm run screenshots`: the images of the page in README and its guide. */

const { takeScreenshots } = await importBundled<typeof screenshots>('test/page/screenshots.ts');
await takeScreenshots();
