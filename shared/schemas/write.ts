import { writeFileSync } from 'node:fs';

import { publishedSchemas, renderSchema } from './published.ts';

for (const published of publishedSchemas) {
  writeFileSync(new URL(published.file, import.meta.url), renderSchema(published));
}
