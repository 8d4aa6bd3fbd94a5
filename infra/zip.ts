import { crc32, deflateRawSync } from 'node:zlib';

interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
}

/** 1980-01-01 00:00, the earliest that the format knows. */
const fixedTime = { time: 0, date: 0x0021 };
const deflated = 8;
/** Version 2.0: deflate and folders. */
const version = 20;
/** UTF-8 names. */
const flags = 0x0800;

/**
 * A zip archive whose bytes depend on names and contents alone: Terraform names the uploaded source by its hash, so an
 * archive with times in it would deploy every function again after every build.
 */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data } of [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const nameBytes = Buffer.from(name, 'utf8');
    const packed = deflateRawSync(data, { level: 9 });
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(version, 0);
    shared.writeUInt16LE(flags, 2);
    shared.writeUInt16LE(deflated, 4);
    shared.writeUInt16LE(fixedTime.time, 6);
    shared.writeUInt16LE(fixedTime.date, 8);
    shared.writeUInt32LE(crc32(data), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(data.length, 18);
    shared.writeUInt16LE(nameBytes.length, 22);
    const local = Buffer.concat([signature(0x04034b50), shared, nameBytes, packed]);
    const tail = Buffer.alloc(14);
    // 0644, a regular file: the buildpack reads them as another user.
    tail.writeUInt32LE((0o100644 << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    // "Made by" Unix, or the permissions above would not count.
    const madeBy = Buffer.from([version, 3]);
    directory.push(Buffer.concat([signature(0x02014b50), madeBy, shared, tail, nameBytes]));
    files.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(directory.length, 4);
  end.writeUInt16LE(directory.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, central, signature(0x06054b50), end]);
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
