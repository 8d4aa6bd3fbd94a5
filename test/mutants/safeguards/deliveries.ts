import { type Mutant, mutantsOf } from '../mutant.ts';

const verifying = 'test/delivery/verify.test.ts';
const reading = 'test/delivery/video-reader.test.ts';
const judging = 'test/delivery/judge.test.ts';

/** Which file is the video of a job, whether it plays, and what reading it may cost. */
export const deliveries: readonly Mutant[] = [
  ...mutantsOf(
    'shared/delivery/choose.ts',
    [verifying],
    [
      {
        name: 'file-of-an-earlier-run',
        removes: 'a file that was written before the export started is not its video',
        find: '      startedAt <= object.createdAt &&\n',
        replace: '',
      },
      {
        name: 'file-of-another-export',
        removes:
          'a file that another record has, or that was written while only that one ran, is not its video',
        find: ' &&\n      !rivals.some((rival) => isOf(rival, object)),',
        replace: ',',
        tests: ['test/delivery/choose.test.ts'],
      },
      {
        name: 'shared-prefix-unnoticed',
        removes: 'two exports that wrote under one prefix at the same time make both deliveries ambiguous',
        find: 'if (rival !== undefined && objects.some',
        replace: 'if (rival === null && objects.some',
      },
      {
        name: 'first-of-several-files',
        removes: 'of several files, none is taken',
        find: 'if (second !== undefined) {',
        replace: 'if (second === null) {',
      },
      {
        name: 'any-file-name',
        removes: 'only files with one of the two forms of name are taken',
        find: String.raw`/^(?:\.mp4|ee-export-video\d{1,20}\.mp4)$/`,
        replace: String.raw`/\.mp4$/`,
      },
    ],
  ),
  ...mutantsOf(
    'shared/delivery/judge.ts',
    [judging, verifying],
    [
      {
        name: 'cut-short',
        removes: 'a file that ends before its last frame is suspect',
        find: 'if (endsAt > object.bytes) {',
        replace: 'if (endsAt < 0) {',
      },
      {
        name: 'damaged-content',
        removes: 'content that does not match its checksum is suspect',
        find: 'if (!isIntact) {',
        replace: 'if (!isIntact && frames < 0) {',
      },
      {
        name: 'smaller-than-requested',
        removes: 'a video that is smaller than requested is suspect',
        find: 'requested.longerSide !== undefined && longerSide <',
        replace: 'requested.longerSide !== undefined && -longerSide >',
      },
    ],
  ),
  ...mutantsOf(
    'shared/delivery/verify.ts',
    [verifying],
    [
      {
        name: 'any-bucket-read',
        removes: 'a bucket that jobs may not use is not read',
        find: ' || !isAllowed(config.allowedDestinations, destination)',
        replace: '',
      },
      {
        name: 'denied-bucket-told-each-time',
        removes: 'a missing role is logged once for each bucket',
        find: 'if (!told.has(bucket)) {',
        replace: 'if (told) {',
      },
      {
        name: 'denied-bucket-asked-for-each-video',
        removes: 'a run asks a bucket that it may not read a few times, not once for each video',
        find: 'if (denied.has(bucket)) {',
        replace: "if (bucket === '') {",
      },
      {
        name: 'silent-bucket-asked-for-each-video',
        removes: 'a bucket that does not respond does not take the time of a whole run',
        find: 'if (failures.isFailing(bucket)) {',
        replace: "if (bucket === '') {",
      },
      {
        name: 'long-list-cut-short',
        removes: 'a prefix with thousands of files is listed by the two forms of name',
        find: 'if (all.isComplete) {',
        replace: 'if (all.objects.length > 0) {',
      },
      {
        name: 'replaced-while-it-was-read',
        removes: 'a video that was replaced while it was read is looked at again',
        find: "if (error instanceof StorageError && error.kind === 'NOT_FOUND') {\n      return undefined;\n    }",
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/delivery/copy.ts',
    [verifying],
    [
      {
        name: 'silent-bucket-copied-to',
        removes: 'a bucket that does not respond does not take the time of a whole run',
        find: '        noteFailure(target.bucket);\n',
        replace: '',
      },
      {
        name: 'copy-to-any-bucket',
        removes: 'a copy goes only where jobs may write',
        find: 'if (!isAllowed(config.allowedDestinations, deliverTo)) {',
        replace: 'if (!deliverTo) {',
      },
      {
        name: 'copy-before-a-crash-unknown',
        removes: 'a copy that was made before a crash is recognized',
        find: 'existing.bytes === bytes && existing.crc32c === crc32c',
        replace: 'existing.bytes < 0',
      },
      {
        name: 'foreign-file-taken-for-the-copy',
        removes: 'another file with the name of the copy is not taken for it',
        find: ' && existing.bytes === bytes && existing.crc32c === crc32c',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/record/delivery.ts',
    [verifying],
    [
      {
        name: 'delivery-not-due',
        removes: 'that a delivery is due is written together with SUCCEEDED',
        find: "{ delivery: { state: 'PENDING', problems: [] }, dueAt: now }\n",
        replace: "{ delivery: { state: 'PENDING', problems: [] } }\n",
      },
      {
        name: 'missing-at-once',
        removes: 'a video counts as missing only after DELIVERY_WAIT_SECONDS',
        find: 'lookedForMs(record, now) >= policy.deliveryWaitMs;',
        replace: 'lookedForMs(record, now) >= 0 * policy.deliveryWaitMs;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/delivery/video/reader.ts',
    [reading],
    [
      {
        name: 'dead-worker-blamed-on-the-file',
        removes: 'a video is read again if its worker died',
        find: '(await readWith(workers, first, rest, patienceMs, true)) ??',
        replace: '',
      },
      {
        name: 'other-idle-worker-trusted',
        removes: 'a video is read again by a new worker, since those that were idle may be dead too',
        find: '        if (isNew) {\n          close();\n        }\n',
        replace: '',
      },
      {
        name: 'worker-that-could-not-start',
        removes: 'that no worker can start says nothing about the file',
        find: 'if (worker.pid === undefined) {',
        replace: 'if (worker.pid === 0) {',
      },
      {
        name: 'slot-lost-without-a-worker',
        removes: 'a worker that could not start leaves its slot to the next one',
        find: '        release();\n        throw error;',
        replace: '        throw error;',
      },
      {
        name: 'endless-index',
        removes: 'a file is read up to a limit',
        find: 'chunks <= MAX_CHUNKS && total <= MAX_BYTES',
        replace: 'chunks <= 1e9 && total <= 1e18',
      },
      {
        name: 'busy-worker-waited-for',
        removes: 'a file that keeps its worker busy is given up',
        find: '    done.abort();\n  }, patienceMs);',
        replace: '  }, patienceMs);',
      },
      {
        name: 'credentials-for-the-worker',
        removes: 'the process that reads hostile files has no settings and no credentials',
        find: '    env: {},\n',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/storage/client.ts',
    ['test/storage/client.test.ts'],
    [
      {
        name: 'copy-replaces',
        removes: 'a copy replaces nothing',
        find: '      ifGenerationMatch: 0,\n',
        replace: '',
      },
      {
        name: 'copy-of-another-version',
        removes: 'what was verified is what is copied',
        find: '      sourceGeneration: object.generation,\n',
        replace: '',
      },
      {
        name: 'read-of-another-version',
        removes: 'the parts of a video are of one version',
        find: '.file(name, { generation })',
        replace: '.file(name, generation === undefined ? {} : {})',
      },
      {
        name: 'call-of-storage-without-limit',
        removes: 'a call of Cloud Storage is given up after its time',
        find: 'return await Promise.race([work(), late]);',
        replace: 'late.catch(() => {});\n      return await work();',
      },
      {
        name: 'half-a-copy',
        removes: 'a copy that takes several calls is made to its end',
        find: 'if (rewriteToken === undefined || response.done === true) {',
        replace: "if (rewriteToken !== '') {",
      },
      {
        name: 'endless-copy',
        removes: 'a copy that never ends is given up',
        find: 'calls < MAX_REWRITES',
        replace: 'calls < 3 * MAX_REWRITES',
      },
      {
        name: 'cut-list-is-complete',
        removes: 'a list that the limit ended is not complete',
        find: 'isComplete: pageToken === undefined',
        replace: 'isComplete: objects.length >= 0',
      },
      {
        name: 'storage-called-again',
        removes: 'a bucket that fails is called once',
        find: 'autoRetry: false',
        replace: 'autoRetry: true',
      },
    ],
  ),
  ...mutantsOf(
    'page/views/video-object.ts',
    ['test/page/video.test.ts'],
    [
      {
        name: 'video-of-any-bucket-shown',
        removes: 'the page shows only videos in buckets that jobs may use',
        find: ' || !isAllowed(allowed, uri)',
        replace: '',
      },
    ],
  ),
];
