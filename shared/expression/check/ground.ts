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

/** Of coordinates without a point, an empty box. */
const NOWHERE: Box = { west: Infinity, south: Infinity, east: -Infinity, north: -Infinity };

/** A point in a ring in a polygon in a multipolygon. */
const MAX_NESTED = 6;
/** Short lists of numbers are read faster than they are remembered. */
const REMEMBERED_FROM = 16;

/**
 * The bounds of lists of coordinates. A graph can use a list over and over, also within itself: then few lists stand for more
 * points than there is time for. So each is walked once.
 */
const bounds = new WeakMap<object, Box | undefined>();

/** The number of pixels that a geometry certainly has at a scale; 0 if that is unknown. */
export const pixelsOnGround = (geometry: Value | undefined, metersPerPixel: number): number =>
  metersPerPixel <= 0
    ? 0
    : Math.floor((squareDegreesOf(geometry) * (METERS_PER_DEGREE / metersPerPixel) ** 2) / MARGIN);

/** The area of a geometry's bounds, about; 0 if that is unknown. */
export const squareKilometersOf = (geometry: Value): number =>
  squareDegreesOf(geometry) * (METERS_PER_DEGREE / 1000) ** 2;

/** Of degrees at the equator, and at the latitude with the smallest ones. */
function squareDegreesOf(geometry: Value | undefined): number {
  const coordinates = geometry?.kind === 'Geometry' ? geometry.of : undefined;
  const box = Array.isArray(coordinates) ? boxOf(coordinates) : undefined;
  if (!box) {
    return 0;
  }
  const farthest = Math.max(Math.abs(box.south), Math.abs(box.north));
  return (box.east - box.west) * Math.cos((farthest * Math.PI) / 180) * (box.north - box.south);
}

function boxOf(coordinates: readonly unknown[]): Box | undefined {
  const box = boundsOf(coordinates, 1);
  if (!box) {
    return undefined;
  }
  const { west, south, east, north } = box;
  const isOnEarth = west >= -180 && east <= 180 && south >= -90 && north <= 90;
  // A wider region may be a narrow one across the antimeridian.
  const isClear = west < east && east - west <= 180 && south < north;
  return isClear && isOnEarth ? box : undefined;
}

/** The bounds of nested arrays of points, or of `[west, south, east, north]`; undefined if they are anything else. */
function boundsOf(items: readonly unknown[], depth: number): Box | undefined {
  if (bounds.has(items)) {
    return bounds.get(items);
  }
  const isOfNumbers = items.every((item) => typeof item === 'number');
  const box = isOfNumbers ? boundsOfPoints(items) : boundsOfLists(items, depth);
  if (!isOfNumbers || items.length >= REMEMBERED_FROM) {
    bounds.set(items, box);
  }
  return box;
}

function boundsOfPoints(numbers: readonly number[]): Box {
  let box = NOWHERE;
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    const [x = 0, y = 0] = [numbers[index], numbers[index + 1]];
    box = around(box, { west: x, south: y, east: x, north: y });
  }
  return box;
}

function boundsOfLists(lists: readonly unknown[], depth: number): Box | undefined {
  if (depth >= MAX_NESTED) {
    return undefined;
  }
  let box = NOWHERE;
  // A polygon may have a million points, so nothing is made for each of them.
  let { west, south, east, north } = NOWHERE;
  for (const each of lists) {
    if (isPoint(each)) {
      const [x, y] = each;
      west = Math.min(west, x);
      south = Math.min(south, y);
      east = Math.max(east, x);
      north = Math.max(north, y);
      continue;
    }
    const inside = Array.isArray(each) ? boundsOf(each, depth + 1) : undefined;
    if (!inside) {
      return undefined;
    }
    box = around(box, inside);
  }
  return around(box, { west, south, east, north });
}

const isPoint = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === 'number' && typeof value[1] === 'number';

const around = (a: Box, b: Box): Box => ({
  west: Math.min(a.west, b.west),
  south: Math.min(a.south, b.south),
  east: Math.max(a.east, b.east),
  north: Math.max(a.north, b.north),
});
