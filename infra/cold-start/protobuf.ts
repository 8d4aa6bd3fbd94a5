/** The part of Protocol Buffers' format that the warm-up needs: https://protobuf.dev/programming-guides/encoding/ */

/** The wire types: how the value of a field is encoded. */
const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;

const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];

/** A field whose value is a text, or a message that consists of these fields. */
export function field(id: number, ...content: readonly (string | Uint8Array)[]): Buffer {
  const value = Buffer.concat(content.map((part) => Buffer.from(part as string)));
  return Buffer.concat([Buffer.from([...varint((id << 3) | BYTES), ...varint(value.length)]), value]);
}

/** A field whose value is an integer, from 0 to 2^32 - 1. */
export const integer = (id: number, value: number): Buffer =>
  Buffer.from([...varint((id << 3) | VARINT), ...varint(value)]);

/**
 * The values of the fields with this ID, if they are texts or messages, in their order.
 *
 * @throws RangeError if the message is cut short
 */
export function fieldsOf(message: Buffer, id: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message.readUInt8(at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        return value;
      }
    }
  };
  while (at < message.length) {
    const tag = next();
    switch (tag & 7) {
      case VARINT:
        next();
        break;
      case FIXED_64:
        at += 8;
        break;
      case FIXED_32:
        at += 4;
        break;
      default: {
        const end = next() + at;
        if (tag >>> 3 === id) {
          found.push(message.subarray(at, end));
        }
        at = end;
      }
    }
  }
  return found;
}
