/**
 * Push requests as large as Pub/Sub allows: messages of 10 MB whose expressions are as different as the JSON of an expression
 * can be.
 */

/** Pub/Sub's limit is 10,000,000 bytes, attributes and the rest of the job included. */
const EXPRESSION_BYTES = 9_980_000;

export const kinds = ['calls', 'constants', 'coordinates', 'empty arrays', 'one string'] as const;
export type Kind = (typeof kinds)[number];

/** The JSON of a push request with one job. */
export function pushOf(kind: Kind, jobKey: string): string {
  const request = {
    expression: 'EXPRESSION',
    fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket: 'my-bucket' } },
  };
  const job = JSON.stringify({ jobKey, request });
  const data = Buffer.from(job.replace('"EXPRESSION"', () => expressions[kind]()));
  return JSON.stringify({
    message: { data: data.toString('base64'), messageId: jobKey.replaceAll('/', '-') },
    subscription: 'projects/p/subscriptions/s',
  });
}

const expressions: Readonly<Record<Kind, () => string>> = {
  /** A chain of additions, each of which refers to the previous one. */
  calls: () => {
    const count = fill(`"0":${image}`, (n) => `,${addition(n + 1)}`);
    return video(`{"valueReference":"${count.items}"}`, `${count.text},`);
  },
  constants: () => {
    const { text } = fill('{"constantValue":0}', (n) => `,{"constantValue":${n % 10}}`);
    return withProperty(`{"arrayValue":{"values":[${text}]}}`);
  },
  /** A line of points with five decimals: about one meter. */
  coordinates: () =>
    withConstant(fill('[0,0]', (n) => `,[${((n * 7) % 180) + 0.12345},${((n * 3) % 90) + 0.54321}]`).text),
  'empty arrays': () => withConstant(fill('[]', () => ',[]').text),
  /** Random, so that it stays large when it is compressed for Firestore. */
  'one string': () => withConstant(`"${randomText(EXPRESSION_BYTES)}"`),
};

const call = (name: string, args: Readonly<Record<string, string>>): string => {
  const fields = Object.entries(args).map(([argument, node]) => `"${argument}":${node}`);
  return `{"functionInvocationValue":{"functionName":"${name}","arguments":{${fields.join(',')}}}}`;
};

const image = call('Image.load', { id: '{"constantValue":"USGS/SRTMGL1_003"}' });

/** A video of one frame: the check of the graph must not reject the job before all of it is read. */
function video(frame: string, values = ''): string {
  const colors = call('Image.visualize', { image: frame, forceRgbOutput: '{"constantValue":true}' });
  const frames = call('ImageCollection.fromImages', { images: `{"arrayValue":{"values":[${colors}]}}` });
  return `{"result":"video","values":{${values}"video":${frames}}}`;
}

/** A property of the frame. */
const withProperty = (value: string): string =>
  video(call('Element.set', { object: image, key: '{"constantValue":"data"}', value }));

const withConstant = (items: string): string => withProperty(`{"constantValue":[${items}]}`);

const addition = (n: number): string => {
  const image2 = call('Image.constant', { value: `{"constantValue":${n}}` });
  return `"${n}":${call('Image.add', { image1: `{"valueReference":"${n - 1}"}`, image2 })}`;
};

function fill(first: string, next: (n: number) => string): { readonly text: string; readonly items: number } {
  const parts = [first];
  let length = first.length;
  for (let n = 0; ; n += 1) {
    const part = next(n);
    length += part.length;
    if (length > EXPRESSION_BYTES) {
      return { text: parts.join(''), items: n };
    }
    parts.push(part);
  }
}

function randomText(length: number): string {
  const parts: string[] = [];
  for (let rest = length; rest > 0; rest -= 64_000) {
    parts.push(Buffer.from(crypto.getRandomValues(new Uint8Array(48_000))).toString('base64'));
  }
  return parts.join('').slice(0, length);
}
