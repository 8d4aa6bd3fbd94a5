import { mkdirSync, writeFileSync } from 'node:fs';

import { captureDemo } from './capture.ts';

/* `npm run capture`: README's image of the demo. */

const images = new URL('../images/', import.meta.url);
mkdirSync(images, { recursive: true });
writeFileSync(new URL('demo.svg', images), await captureDemo());
