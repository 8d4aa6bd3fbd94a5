import { oneFrame } from '../../../one-frame.ts';

/** A valid body of `video:export`, with the changes that a test needs. */
export function exportRequest(change: Readonly<Record<string, unknown>>): Uint8Array<ArrayBuffer> {
  const requestId = change['requestId'];
  const request = {
    expression: oneFrame('MODIS/061/MOD13A2/2020_01_01'),
    description: typeof requestId === 'string' ? `demo_${requestId}` : 'demo',
    videoOptions: { framesPerSecond: 12 },
    fileExportOptions: {
      fileFormat: 'MP4',
      cloudStorageDestination: { bucket: 'my-bucket', filenamePrefix: 'videos/demo' },
    },
    ...change,
  };
  return new TextEncoder().encode(JSON.stringify(request));
}
