/**
 * Push requests as large as Pub/Sub allows: messages of 10 MB whose expressions are as different as the JSON of an expression
 * can be.
 */

/** Pub/Sub's limit is 10,000,000 bytes, attributes and the rest of the job included. */
const EXPRESSION_BYTES = 9_990_000;

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
    const load =
      '"0":{"functionInvocationValue":{"functionName":"Image.load","arguments":{"id":{"constantValue":"DEM"}}}}';
    const count = fill(load, (n) => `,${addition(n + 1)}`);
    return `{"result":"${count.items}","values":{${count.text}}}`;
  },
  constants: () => {
    const { text } = fill('{"constantValue":0}', (n) => `,{"constantValue":${n % 10}}`);
    return `{"result":"0","values":{"0":{"arrayValue":{"values":[${text}]}}}}`;
  },
  /** A line of points with five decimals: about one meter. */
  coordinates: () =>
    constant(fill('[0,0]', (n) => `,[${((n * 7) % 180) + 0.12345},${((n * 3) % 90) + 0.54321}]`).text),
  'empty arrays': () => constant(fill('[]', () => ',[]').text),
  /** Random, so that it stays large when it is compressed for Firestore. */
  'one string': () => constant(`"${randomText(EXPRESSION_BYTES)}"`),
};

const addition = (n: number): string =>
  `"${n}":{"functionInvocationValue":{"functionName":"Image.add","arguments":{"image1":{"valueReference":"${n - 1}"},"image2":{"constantValue":${n}}}}}`;

const constant = (items: string): string => `{"result":"0","values":{"0":{"constantValue":[${items}]}}}`;

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
