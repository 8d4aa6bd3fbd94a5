import { readFile } from 'node:fs/promises';

import type { Plugin } from 'esbuild';

import { usedMessages } from './used-messages.ts';

/**
 * Leaves out of a bundle what libraries load and this service does not use. It took a quarter of the time until the first
 * response, and 20 MB. test/infra/bundles.release.test.ts shows that the bundles still work.
 */

/** What is left out. All keys are files of packages, such as `google-gax/build/src/iamService.js`. */
interface Unused {
  /** The code that a file has instead of its own. */
  readonly replacements: Readonly<Record<string, string>>;
  /**
   * The services of an API that are used, for a file that describes the messages of the API: descriptions that no such service
   * needs are left out. A client parses all descriptions when it is created.
   */
  readonly services: Readonly<Record<string, readonly string[]>>;
  /** The code that a file has after its own. */
  readonly additions: Readonly<Record<string, string>>;
}

const pubsubMessages = '@google-cloud/pubsub-api/build/protos/protos.json';

const unused: Unused = {
  replacements: {
    // Generated code of message types that are only exported: the clients encode what they send from the JSON form.
    '@google-cloud/pubsub/build/protos/protos.js': 'module.exports = {};',
    '@google-cloud/pubsub-api/build/protos/protos.js': 'module.exports = {};',
    'google-gax/build/protos/iam_service.js': 'module.exports = {};',
    'google-gax/build/protos/locations.js': 'module.exports = {};',
    'google-gax/build/protos/operations.js': 'module.exports = {};',
    // Firestore's client uses one of its types, and only in pipelines, which this service does not use.
    '@google-cloud/firestore-api/build/protos/protos.js':
      'module.exports = { google: { firestore: { v1: {} } } };',
    // The clients that administer databases, and the client of locations that each client creates.
    '@google-cloud/firestore-api/build/src/v1/firestore_admin_client.js': 'module.exports = {};',
    '@google-cloud/firestore-api/build/src/v1beta1/index.js': 'module.exports = {};',
    'google-gax/build/src/locationService.js': 'exports.LocationsClient = class { async close() {} };',
    // Describes all messages in Protocol Buffers' own format, which only gRPC servers with reflection send.
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
  additions: {
    // When a type is first used, protobufjs generates five functions for it, and a client needs at most two of them. With
    // this code, it generates each function when the function is first called.
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

/** The command line reads subscriptions, and asks whether it may publish to a topic. No function does either. */
const unusedInFunctions: Unused = {
  replacements: {
    ...unused.replacements,
    '@google-cloud/pubsub/build/src/subscriber.js': 'module.exports = {};',
    '@google-cloud/pubsub/build/src/subscription.js': 'module.exports = {};',
    'google-gax/build/src/iamService.js': 'exports.IamClient = class { async close() {} };',
  },
  services: { ...unused.services, [pubsubMessages]: ['google.pubsub.v1.Publisher'] },
  additions: unused.additions,
};

const without = ({ replacements, services, additions }: Unused): Plugin => ({
  name: 'without-unused-parts',
  setup(bundling) {
    const missed = new Set([replacements, services, additions].flatMap(Object.keys));
    const inPackages =
      /\/node_modules\/(?:@google-cloud|@opentelemetry|google-gax|protobufjs|zod)\/.*\.js(?:on)?$/;
    bundling.onLoad({ filter: inPackages }, async ({ path }) => {
      const file = path.slice(path.lastIndexOf('/node_modules/') + '/node_modules/'.length);
      missed.delete(file);
      const used = services[file];
      if (used) {
        return { contents: usedMessages(await readFile(path, 'utf8'), used), loader: 'json' };
      }
      const added = additions[file];
      const contents = added === undefined ? replacements[file] : (await readFile(path, 'utf8')) + added;
      return contents === undefined ? undefined : { contents, loader: 'js' };
    });
    bundling.onEnd(() => ({
      warnings: [...missed].map((file) => ({ text: `${file} no longer exists` })),
    }));
  },
});

/** For the command line. */
export const withoutUnusedParts = without(unused);
/** For the functions, which use less. */
export const withoutPartsUnusedInFunctions = without(unusedInFunctions);
