import type { Frame } from '../components/app.tsx';

/** The view of an address, as JSON. */
export async function fetchFrame(path: string): Promise<Frame> {
  const response = await fetch(`/api/views${path}`);
  // A page that does not exist has a view too.
  if (!response.headers.get('content-type')?.startsWith('application/json') || response.status >= 500) {
    throw new Error(`the server returned ${response.status}`);
  }
  return (await response.json()) as Frame;
}

export function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) {
    url.searchParams.set(name, value);
  }
  return url.pathname + url.search;
}

export function withoutPosition(path: string): string {
  const url = new URL(path, location.origin);
  url.searchParams.delete('after');
  return url.pathname + url.search;
}
