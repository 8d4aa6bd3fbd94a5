import type { Topics } from '../../shared/config.ts';

/** Shell commands that use a running stack manually, as lines. README shows the same commands. */
export interface ByHand {
  readonly exports: readonly string[];
  readonly publish: readonly string[];
  readonly publishWithCurl: readonly string[];
  readonly read: readonly string[];
  readonly readRejected: readonly string[];
}

const example = 'infra/local/examples/las-vegas-growth.json';

export function byHand({ jobs }: Topics): ByHand {
  return {
    exports: ['eval "$(npx ee-video-exports context env)"'],
    publish: [
      `gcloud pubsub topics publish ${jobs} --project=$GOOGLE_CLOUD_PROJECT \\`,
      `  --message="$(cat ${example})"`,
    ],
    publishWithCurl: [
      `curl -sS "http://$PUBSUB_EMULATOR_HOST/v1/projects/$GOOGLE_CLOUD_PROJECT/topics/${jobs}:publish" \\`,
      `  --json "{\\"messages\\":[{\\"data\\":\\"$(base64 < ${example} | tr -d '\\n')\\"}]}"`,
    ],
    read: [readCollection('videoExports', ['state', 'operation', 'progress', 'outputUris', 'error'])],
    readRejected: [readCollection('rejectedMessages', ['reason', 'issues'])],
  };
}

function readCollection(collection: string, fields: readonly string[]): string {
  const mask = fields.map((field) => `mask.fieldPaths=${field}`).join('&');
  const documents = 'v1/projects/$GOOGLE_CLOUD_PROJECT/databases/(default)/documents';
  return `curl -sS "http://$FIRESTORE_EMULATOR_HOST/${documents}/${collection}?${mask}"`;
}
