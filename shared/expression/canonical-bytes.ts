import { hash } from 'node:crypto';

/**
 * A part of a graph, reduced to its canonical bytes if they are few and to their SHA-256 otherwise. One character per byte,
 * since short strings cost far less than short buffers.
 */
export type Digest = string;

const SHA256_BYTES = 32;
/** Hashing costs more than copying, so small parts are hashed together with the whole that they belong to. */
const LITERAL_BYTES = 63;

/**
 * Writes tagged, length-prefixed bytes: two different sequences of calls never write the same bytes, as long as each value
 * begins with a tag that identifies what follows.
 */
export interface ByteWriter {
  /** Starts the next value. */
  clear(): void;
  tag(tag: number): void;
  /** An integer from 0 to 2^32 - 1, in as few bytes as it needs. */
  count(value: number): void;
  number(value: number): void;
  /** A well-formed string. */
  text(value: string): void;
  digest(value: Digest): void;
  /** The digest of what was written since `clear`. */
  finish(): Digest;
}

export function createByteWriter(): ByteWriter {
  let bytes = Buffer.allocUnsafe(16_384);
  let view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let length = 0;

  function reserve(more: number) {
    if (length + more <= bytes.length) {
      return;
    }
    const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, length + more));
    bytes.copy(larger, 0, 0, length);
    bytes = larger;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  function count(value: number) {
    reserve(5);
    let rest = value;
    while (rest > 0x7f) {
      bytes[length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[length++] = rest;
  }

  return {
    clear() {
      length = 0;
    },
    tag(tag) {
      reserve(1);
      bytes[length++] = tag;
    },
    count,
    number(value) {
      reserve(8);
      // JSON has one zero: -0 is serialized, and sent, as 0.
      view.setFloat64(length, value === 0 ? 0 : value);
      length += 8;
    },
    text(value) {
      // A call into native code costs more than a short loop; names and band lists are short ASCII.
      if (value.length <= 48) {
        reserve(1 + value.length);
        const start = length;
        bytes[length++] = value.length;
        let index = 0;
        for (; index < value.length; index += 1) {
          const unit = value.charCodeAt(index);
          if (unit > 0x7f) {
            break;
          }
          bytes[length++] = unit;
        }
        if (index === value.length) {
          return;
        }
        length = start;
      }
      count(Buffer.byteLength(value));
      reserve(value.length * 3);
      length += bytes.write(value, length);
    },
    digest(value) {
      reserve(1 + value.length);
      bytes[length++] = value.length;
      for (let index = 0; index < value.length; index += 1) {
        bytes[length++] = value.charCodeAt(index);
      }
    },
    finish() {
      // The length alone distinguishes a SHA-256 from literal bytes.
      return length <= LITERAL_BYTES && length !== SHA256_BYTES
        ? bytes.toString('latin1', 0, length)
        : hash('sha256', bytes.subarray(0, length), 'binary');
    },
  };
}
