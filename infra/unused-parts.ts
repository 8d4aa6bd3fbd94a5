import { readFile } from 'node:fs/promises';

import type { Plugin } from 'esbuild';

import { usedMessages } from './used-messages.ts';

/**
 * What libraries load and this service does not use, which took a quarter of the time until the first response and 20 MB.
 * Emulator tests run the bundles.
 */

interface Unused {
  /** What replaces a file of a package. */
  readonly parts: Readonly<Record<string, string>>;
  /**
   * The services that are used of an API, for each file that describes one. Its client parses the descriptions of all its
   * messages when it is created.
   */
  readonly services: Readonly<Record<string, readonly string[]>>;
  /** What is added to a file of a package. */
  readonly changes: Readonly<Record<string, string>>;
}

const pubsubMessages = '@google-cloud/pubsub-api/build/protos/protos.json';

const unused: Unused = {
  parts: {
    // Generated code of message types that are only exported: the clients encode what they send from the JSON form.
    '@google-cloud/pubsub/build/protos/protos.js': 'module.exports = {};',
    '@google-cloud/pubsub-api/build/protos/protos.js': 'module.exports = {};',
    'google-gax/build/protos/iam_service.js': 'module.exports = {};',
    'google-gax/build/protos/locations.js': 'module.exports = {};',
    'google-gax/build/protos/operations.js': 'module.exports = {};',
    // Firestore's client uses the type of a value in pipelines, which this service has none of.
    '@google-cloud/firestore-api/build/protos/protos.js':
      'module.exports = { google: { firestore: { v1: {} } } };',
    // Clients for databases' administrators, and the client of locations that each client creates.
    '@google-cloud/firestore-api/build/src/v1/firestore_admin_client.js': 'module.exports = {};',
    '@google-cloud/firestore-api/build/src/v1beta1/index.js': 'module.exports = {};',
    'google-gax/build/src/locationService.js': 'exports.LocationsClient = class { async close() {} };',
    // Descriptions of all messages in Protocol Buffers' own format, which only gRPC servers with reflection send.
    'protobufjs/ext/descriptor/index.js': `
      const { Enum, Root, Type } = require('protobufjs');
      const nothing = { file: [], $type: { toObject: () => ({}) } };
      for (const { prototype } of [Enum, Root, Type]) prototype.toDescriptor = () => nothing;
    `,
    // Spans are recorded only if a program registers a provider for them, which this service does not.
    '@opentelemetry/core/build/src/index.js': 'exports.W3CTraceContextPropagator = class {};',
    // Messages in fifty languages.
    'zod/v4/locales/index.js': 'export {};',
  },
  services: {
    '@google-cloud/firestore-api/build/protos/protos.json': ['google.firestore.v1.Firestore'],
    [pubsubMessages]: ['google.pubsub.v1.Publisher', 'google.pubsub.v1.Subscriber'],
  },
  changes: {
    // With the first use of a type, protobufjs generates five functions for it: one use needs two of them at most.
    'protobufjs/src/type.js': `
      for (const [name, generate] of Object.entries({
        encode: encoder,
        decode: decoder,
        fromObject: converter.fromObject,
        toObject: converter.toObject,
      })) {
        Type.prototype[name] = function (...values) {
          if (wrappers[this.fullName]) return this.setup()[name](...values);
          const types = this.fieldsArray.map((field) => field.resolve().resolvedType);
          this[name] = generate(this)({ Reader, Writer, types, util });
          return this[name](...values);
        };
      }
    `,
  },
};

/** The command line asks whether it may publish to a topic, and reads subscriptions. No function does either. */
const unusedInFunctions: Unused = {
  parts: {
    ...unused.parts,
    '@google-cloud/pubsub/build/src/subscriber.js': 'module.exports = {};',
    '@google-cloud/pubsub/build/src/subscription.js': 'module.exports = {};',
    'google-gax/build/src/iamService.js': 'exports.IamClient = class { async close() {} };',
  },
  services: { ...unused.services, [pubsubMessages]: ['google.pubsub.v1.Publisher'] },
  changes: unused.changes,
};

const without = ({ parts, services, changes }: Unused): Plugin => ({
  name: 'without-unused-parts',
  setup(bundling) {
    const missed = new Set([parts, services, changes].flatMap(Object.keys));
    const inPackages =
      /\/node_modules\/(?:@google-cloud|@opentelemetry|google-gax|protobufjs|zod)\/.*\.js(?:on)?$/;
    bundling.onLoad({ filter: inPackages }, async ({ path }) => {
      const file = path.slice(path.lastIndexOf('/node_modules/') + '/node_modules/'.length);
      missed.delete(file);
      const used = services[file];
      if (used) {
        return { contents: usedMessages(await readFile(path, 'utf8'), used), loader: 'json' };
      }
      const added = changes[file];
      const contents = added === undefined ? parts[file] : (await readFile(path, 'utf8')) + added;
      return contents === undefined ? undefined : { contents, loader: 'js' };
    });
    bundling.onEnd(() => ({
      warnings: [...missed].map((file) => ({ text: `${file} no longer exists` })),
    }));
  },
});

export const withoutUnusedParts = without(unused);
export const withoutPartsUnusedInFunctions = without(unusedInFunctions);
