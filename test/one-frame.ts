/** The smallest expression of a video that Earth Engine renders: one frame of one image, with three 8-bit bands. */
export const oneFrame = (image: string) => ({
  result: '0',
  values: {
    '0': call('ImageCollection.fromImages', {
      images: {
        arrayValue: {
          values: [
            call('Image.visualize', {
              image: call('Image.load', { id: { constantValue: image } }),
              bands: { constantValue: ['NDVI'] },
              min: { constantValue: 0 },
              max: { constantValue: 9000 },
              palette: { constantValue: ['ffffff', '00ff00'] },
            }),
          ],
        },
      },
    }),
  },
});

const call = (functionName: string, given: Readonly<Record<string, object>>) => ({
  functionInvocationValue: { functionName, arguments: given },
});
