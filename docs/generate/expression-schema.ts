import { z } from 'zod';

/**
 * Earth Engine's expression graph for the published JSON schemas. The service itself validates expressions with
 * `shared/expression/read-expression.ts`, including what a schema cannot express: references, cycles, scopes, and nesting.
 */
const node = z.lazy((): z.ZodType => valueNode).meta({ id: 'ValueNode' });
const target = z.string().min(1).describe('A key of values');

const valueNode: z.ZodType = z.union([
  z.strictObject({ constantValue: z.unknown() }),
  z.strictObject({ integerValue: z.string().regex(/^(?:0|-?[1-9]\d{0,18})$/) }),
  z.strictObject({ bytesValue: z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/) }),
  z.strictObject({ arrayValue: z.strictObject({ values: z.array(node).optional() }) }),
  z.strictObject({ dictionaryValue: z.strictObject({ values: z.record(z.string(), node).optional() }) }),
  z.strictObject({
    functionDefinitionValue: z.strictObject({
      argumentNames: z.array(z.string().min(1)).optional(),
      body: target,
    }),
  }),
  z.strictObject({
    functionInvocationValue: z.union([
      z.strictObject({ functionName: z.string().min(1), arguments: z.record(z.string(), node).optional() }),
      z.strictObject({ functionReference: target, arguments: z.record(z.string(), node).optional() }),
    ]),
  }),
  z.strictObject({ argumentReference: z.string().min(1) }),
  z.strictObject({ valueReference: target }),
]);

export const expressionSchema = z
  .strictObject({ values: z.record(z.string(), node), result: target })
  .describe('An acyclic graph of value nodes that evaluates to an ImageCollection of 8-bit RGB images');
