import { writeFileSync } from 'node:fs';

import { publishedSchemas, renderSchema } from './schemas.ts';

for (const published of publishedSchemas) {
  writeFileSync(new URL(`../schemas/${published.file}`, import.meta.url), renderSchema(published));
}
