/** The fields of a deployed function's package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private: boolean;
  readonly main: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** package-lock.json, version 3: packages by path, such as `node_modules/a/node_modules/b`. */
export interface Lockfile {
  readonly name: string;
  readonly version: string;
  readonly lockfileVersion: 3;
  readonly requires: true;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/**
 * The lockfile of a manifest, from the lockfile of a larger project that has all its dependencies: the deployed packages,
 * including transitive ones, are exactly those that were tested, and `npm ci` resolves nothing.
 */
export function lockfileFor(manifest: Manifest, project: Lockfile): Lockfile {
  const { name, version, dependencies, engines } = manifest;
  const packages: Record<string, LockedPackage> = { '': { name, version, dependencies, engines } };
  const visit = (from: string, wanted: LockedPackage): void => {
    for (const [dependency, range] of Object.entries({
      ...wanted.dependencies,
      ...wanted.optionalDependencies,
    })) {
      const path = locate(project, from, dependency);
      const locked = path === undefined ? undefined : project.packages[path];
      if (path === undefined || locked === undefined) {
        throw new Error(`package-lock.json lacks ${dependency}@${range}, which ${from || name} needs`);
      }
      if (packages[path]) {
        continue;
      }
      // The project's lockfile marks packages that are only for development. Here, none are.
      const { dev: _dev, devOptional: _devOptional, ...rest } = locked;
      packages[path] = rest;
      visit(path, locked);
    }
  };
  visit('', { dependencies });
  return { name, version, lockfileVersion: 3, requires: true, packages: sorted(packages) };
}

/** Node's resolution: the nearest node_modules folder above. */
function locate(project: Lockfile, from: string, dependency: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = at === '' ? `node_modules/${dependency}` : `${at}/node_modules/${dependency}`;
    if (project.packages[path]) {
      return path;
    }
    if (at === '') {
      return undefined;
    }
  }
}

function sorted<T>(entries: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
}
