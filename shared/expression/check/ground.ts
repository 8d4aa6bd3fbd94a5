import type { Value } from './value.ts';

/** How large a constant geometry is on the ground. Longitudes and latitudes only; of anything else, nothing is certain. */

export interface Box {
  readonly west: number;
  readonly south: number;
  readonly east: number;
  readonly north: number;
}

const METERS_PER_DEGREE = 111_319;
/**
 * The scale is in meters of a projection that may be unknown here, so a region is called too large only if it is four times
 * too large in the projection with the fewest pixels.
 */
const MARGIN = 4;

/** A constant may be shared by thousands of calls: it is walked once. */
const boxes = new WeakMap<object, Box | undefined>();

/** The number of pixels that a geometry certainly has at a scale; 0 if that is unknown. */
export function pixelsOnGround(geometry: Value | undefined, metersPerPixel: number): number {
  const coordinates = geometry?.kind === 'Geometry' ? geometry.of : undefined;
  if (!Array.isArray(coordinates) || metersPerPixel <= 0) {
    return 0;
  }
  const box = boxes.has(coordinates) ? boxes.get(coordinates) : boxOf(coordinates);
  boxes.set(coordinates, box);
  if (!box) {
    return 0;
  }
  const farthest = Math.max(Math.abs(box.south), Math.abs(box.north));
  const width = (box.east - box.west) * Math.cos((farthest * Math.PI) / 180);
  const height = box.north - box.south;
  return Math.floor((width * height * (METERS_PER_DEGREE / metersPerPixel) ** 2) / MARGIN);
}

/** The bounds of nested arrays of points, or of `[west, south, east, north]`. */
function boxOf(coordinates: readonly unknown[]): Box | undefined {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  const add = (x: number, y: number) => {
    west = Math.min(west, x);
    east = Math.max(east, x);
    south = Math.min(south, y);
    north = Math.max(north, y);
  };
  const open: (readonly unknown[])[] = [coordinates];
  for (let items = open.pop(); items; items = open.pop()) {
    if (items.every((item) => typeof item === 'number')) {
      for (let index = 0; index + 1 < items.length; index += 2) {
        add(items[index] as number, items[index + 1] as number);
      }
    } else if (items.every((item) => Array.isArray(item))) {
      for (const item of items) {
        open.push(item as unknown[]);
      }
    } else {
      return undefined;
    }
  }
  const isOnEarth = west >= -180 && east <= 180 && south >= -90 && north <= 90;
  // A wider region may be a narrow one across the antimeridian.
  const isClear = west < east && east - west <= 180 && south < north;
  return isClear && isOnEarth ? { west, south, east, north } : undefined;
}
