/**
 * The descriptions of an API's messages (protobufjs's JSON form) that some of its services use. A client parses all
 * descriptions when it is created, and most of them belong to other services, or describe descriptions.
 */

interface Description {
  readonly nested?: Readonly<Record<string, Description>>;
  readonly fields?: Readonly<Record<string, { readonly type: string; readonly keyType?: string }>>;
  readonly methods?: Readonly<
    Record<string, { readonly requestType: string; readonly responseType: string }>
  >;
  readonly [other: string]: unknown;
}

/**
 * @param json what a client's package calls protos.json
 * @param services full names, such as `google.firestore.v1.Firestore`
 */
export function usedMessages(json: string, services: readonly string[]): string {
  const root = JSON.parse(json) as Description;
  const used = new Set<string>();
  const open = [...services];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (used.has(name)) {
      continue;
    }
    used.add(name);
    const { fields = {}, methods = {} } = descriptionAt(root, name) ?? {};
    const types = [
      ...Object.values(fields).map(({ type }) => type),
      ...Object.values(methods).flatMap(({ requestType, responseType }) => [requestType, responseType]),
    ];
    for (const type of types) {
      const found = resolve(root, name, type);
      if (found !== undefined) {
        open.push(found);
      }
    }
  }
  const missing = services.find((service) => !descriptionAt(root, service));
  if (missing !== undefined) {
    throw new Error(`No description of ${missing}: adapt its services in infra/unused-parts.ts.`);
  }
  return JSON.stringify(keep(root, '', used));
}

/** The full name of a type as it is named within another: its scope is searched first, then those around it. */
function resolve(root: Description, from: string, type: string): string | undefined {
  if (type.startsWith('.')) {
    return type.slice(1);
  }
  for (let scope = from; ; scope = scope.slice(0, Math.max(0, scope.lastIndexOf('.')))) {
    const name = scope === '' ? type : `${scope}.${type}`;
    if (descriptionAt(root, name)) {
      return name;
    }
    if (scope === '') {
      return undefined;
    }
  }
}

function descriptionAt(root: Description, name: string): Description | undefined {
  return name.split('.').reduce<Description | undefined>((within, part) => within?.nested?.[part], root);
}

function keep(description: Description, name: string, used: ReadonlySet<string>): Description {
  const { nested, ...own } = description;
  const kept = Object.entries(nested ?? {})
    .filter(([part]) => [...used].some((each) => `${each}.`.startsWith(`${name}${part}.`)))
    .map(([part, each]) => [part, keep(each, `${name}${part}.`, used)] as const);
  return kept.length > 0 ? { ...own, nested: Object.fromEntries(kept) } : own;
}
