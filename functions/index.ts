import { http } from '@google-cloud/functions-framework';

import { cancelExports } from './cancel-exports.ts';
import { expandBatch } from './expand-batch.ts';
import { pollExports } from './poll-exports.ts';
import { recordDeadLetter } from './record-dead-letter.ts';
import { showExports } from './show-exports.ts';
import { submitExport } from './submit-export.ts';

http('submitExport', submitExport);
http('pollExports', pollExports);
http('expandBatch', expandBatch);
http('cancelExports', cancelExports);
http('recordDeadLetter', recordDeadLetter);
http('showExports', showExports);
