import type { SimulatorSettings } from './settings.ts';

/** One page: positions in the list, where 0 is the oldest operation, and the token of the next page. */
export interface ListedPage {
  readonly positions: readonly number[];
  readonly nextPageToken: string | undefined;
}

export interface Listings {
  /** @param count how many operations can be listed now; ignored if a token continues an older listing */
  page(pageToken: string, pageSize: number, count: number): ListedPage | undefined;
}

interface Listing {
  readonly count: number;
  readonly order: SimulatorSettings['listOrder'];
  readonly shuffled: Uint32Array | undefined;
}

const MAX_PAGE_SIZE = 500;
/** Page tokens of older listings are invalid. */
const KEPT_LISTINGS = 50;

/** Each listing is a snapshot, in a fixed order, of the time when its first page was requested. */
export function createListings(settings: SimulatorSettings, random: () => number): Listings {
  const listings = new Map<number, Listing>();
  let lastId = 0;

  function begin(count: number): number {
    const order = settings.listOrder;
    listings.set(++lastId, {
      count,
      order,
      shuffled: order === 'random' ? shuffle(count, random) : undefined,
    });
    listings.delete(lastId - KEPT_LISTINGS);
    return lastId;
  }

  return {
    page(pageToken, pageSize, count) {
      const [id, offset] =
        pageToken === '' ? [begin(count), 0] : (pageToken.split('-', 2).map(Number) as [number, number]);
      const listing = listings.get(id);
      if (!listing || !Number.isInteger(offset)) {
        return undefined;
      }
      const size = Math.min(pageSize, MAX_PAGE_SIZE);
      const end = Math.min(offset + size, listing.count);
      const positions: number[] = [];
      for (let index = offset; index < end; index++) {
        positions.push(positionOf(listing, index));
      }
      return { positions, nextPageToken: end < listing.count ? `${id}-${end}` : undefined };
    },
  };
}

function positionOf({ count, order, shuffled }: Listing, index: number): number {
  if (order === 'oldest') {
    return index;
  }
  return order === 'newest' ? count - 1 - index : (shuffled?.[index] ?? index);
}

/** Fisher–Yates. */
function shuffle(count: number, random: () => number): Uint32Array {
  const positions = Uint32Array.from({ length: count }, (_, index) => index);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const kept = positions[i] as number;
    positions[i] = positions[j] as number;
    positions[j] = kept;
  }
  return positions;
}
