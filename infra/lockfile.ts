/** The part of a package.json that a deployed function has. */
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

/** package-lock.json, version 3: packages by their path, such as `node_modules/a/node_modules/b`. */
export interface Lockfile {
  readonly name: string;
  readonly version: string;
  readonly lockfileVersion: 3;
  readonly requires: true;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/**
 * The lockfile of a manifest whose dependencies are all in a larger project's: what was tested is what is deployed, down
 * to the last transitive package, and `npm ci` needs no resolution.
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
        throw new Error(`package-lock.json lacks ${dependency}@${range}, needed by ${from || name}`);
      }
      if (packages[path]) {
        continue;
      }
      // In the project some are development dependencies as well; here none is.
      const { dev: _dev, devOptional: _devOptional, ...rest } = locked;
      packages[path] = rest;
      visit(path, locked);
    }
  };
  visit('', { dependencies });
  return { name, version, lockfileVersion: 3, requires: true, packages: sorted(packages) };
}

/** Node's own resolution: the nearest node_modules above. */
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
