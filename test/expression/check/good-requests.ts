import type { Client } from './official-client.ts';

/** Programs that make good videos, as users of the JavaScript client write them. */
export interface Program {
  readonly name: string;
  readonly build: (ee: Client) => Client;
  readonly options?: object;
}

const palette = ['ffffff', 'ce7e45', '99b718', '012e01'];
const ndviVis = { min: 0, max: 9000, palette };
const s2 = (ee: Client) =>
  ee.ImageCollection('COPERNICUS/S2_SR_HARMONIZED').filterBounds(ee.Geometry.Point([8, 46]));
const landsat = (ee: Client) => ee.ImageCollection('LANDSAT/LC08/C02/T1_TOA');
const modis = (ee: Client) => ee.ImageCollection('MODIS/061/MOD13A2').filterDate('2020-01-01', '2021-01-01');
const rgb = (image: Client) => image.visualize({ bands: ['B4', 'B3', 'B2'], min: 0, max: 3000 });

export const goodPrograms: readonly Program[] = [
  {
    name: 'a palette on one band',
    build: (ee) =>
      modis(ee)
        .select('NDVI')
        .map((image: Client) => image.visualize(ndviVis)),
  },
  {
    name: 'three bands by name',
    build: (ee) => s2(ee).map(rgb),
  },
  {
    name: 'bands selected before visualize',
    build: (ee) =>
      s2(ee)
        .select(['B4', 'B3', 'B2'])
        .map((image: Client) => image.visualize({ min: 0, max: 3000, gamma: 1.4 })),
  },
  {
    name: 'bands selected by pattern',
    build: (ee) =>
      landsat(ee)
        .select('B[432]')
        .map((image: Client) => image.multiply(512).uint8()),
  },
  {
    name: 'bands selected by index',
    build: (ee) =>
      landsat(ee)
        .select([3, 2, 1])
        .map((image: Client) => image.multiply(512).toByte()),
  },
  {
    name: 'a conversion without visualize',
    build: (ee) =>
      landsat(ee)
        .select(['B4', 'B3', 'B2'])
        .map((image: Client) =>
          image.multiply(255).clamp(0, 255).toByte().copyProperties(image, ['system:time_start']),
        ),
  },
  {
    name: 'forceRgbOutput on one band',
    build: (ee) =>
      modis(ee)
        .select('NDVI')
        .map((image: Client) => image.visualize({ min: 0, max: 9000, forceRgbOutput: true })),
  },
  {
    name: 'gray as three equal bands',
    build: (ee) =>
      modis(ee)
        .select('NDVI')
        .map((image: Client) => {
          const gray = image.unitScale(0, 9000).multiply(255).toByte();
          return ee.Image.cat([gray, gray, gray]).rename(['r', 'g', 'b']);
        }),
  },
  {
    name: 'ee.Image.rgb',
    build: (ee) =>
      landsat(ee).map((image: Client) =>
        ee.Image.rgb(image.select('B5'), image.select('B4'), image.select('B3')).multiply(255).toByte(),
      ),
  },
  {
    name: 'a cloud mask from bits',
    build: (ee) =>
      s2(ee)
        .filter(ee.Filter.lt('CLOUDY_PIXEL_PERCENTAGE', 30))
        .map((image: Client) => {
          const qa = image.select('QA60');
          const clear = qa
            .bitwiseAnd(1 << 10)
            .eq(0)
            .and(qa.bitwiseAnd(1 << 11).eq(0));
          return image.updateMask(clear).divide(10_000);
        })
        .map((image: Client) => image.visualize({ bands: ['B4', 'B3', 'B2'], min: 0, max: 0.3 })),
  },
  {
    name: 'annual composites by List.map',
    build: (ee) => {
      const years = ee.List.sequence(2014, 2023);
      const frames = years.map((year: Client) => {
        const start = ee.Date.fromYMD(year, 1, 1);
        return landsat(ee)
          .filterDate(start, start.advance(1, 'year'))
          .median()
          .set('year', year)
          .set('system:time_start', start.millis());
      });
      return ee
        .ImageCollection(frames)
        .map((image: Client) => image.visualize({ bands: ['B4', 'B3', 'B2'], max: 0.3 }));
    },
  },
  {
    name: 'weekly composites',
    build: (ee) => {
      const start = ee.Date('2022-01-03');
      const weeks = ee.List.sequence(0, 51).map((week: Client) => {
        const from = start.advance(ee.Number(week), 'week');
        const images = s2(ee).filterDate(from, from.advance(1, 'week'));
        return ee.Algorithms.If(
          images.size().gt(0),
          images.median().set('system:time_start', from.millis()),
          ee.Image.constant([0, 0, 0]).rename(['B4', 'B3', 'B2']).selfMask(),
        );
      });
      return ee.ImageCollection.fromImages(weeks).map(rgb);
    },
  },
  {
    name: 'a fixed list of images',
    build: (ee) =>
      ee.ImageCollection([
        rgb(ee.Image('COPERNICUS/S2_SR_HARMONIZED/A')),
        rgb(ee.Image('COPERNICUS/S2_SR_HARMONIZED/B')),
      ]),
  },
  {
    name: 'one image as a collection',
    build: (ee) => ee.ImageCollection(rgb(ee.Image('COPERNICUS/S2_SR_HARMONIZED/A'))),
  },
  {
    name: 'a hillshade behind colors',
    build: (ee) => {
      const hillshade = ee.Terrain.hillshade(ee.Image('USGS/SRTMGL1_003').select('elevation'));
      return modis(ee)
        .select('NDVI')
        .map((image: Client) =>
          hillshade.visualize({ forceRgbOutput: true }).blend(image.visualize({ ...ndviVis, opacity: 0.6 })),
        );
    },
  },
  {
    name: 'hillshades with a moving sun',
    build: (ee) =>
      ee.ImageCollection(
        ee.List.sequence(0, 350, 10).map((azimuth: Client) =>
          ee.ApiFunction._call(
            'Terrain.hillshade',
            ee.Image('USGS/SRTMGL1_003').multiply(10),
            ee.Number(azimuth),
            30,
          ).visualize({ min: 0, max: 255, palette: ['black', 'white'] }),
        ),
      ),
  },
  {
    name: 'mosaics by day, with a join',
    build: (ee) => {
      const images = s2(ee).filterDate('2021-06-01', '2021-07-01');
      const days = images.distinct('system:time_start');
      const joined = ee.ImageCollection(
        ee.Join.saveAll('sameDay').apply({
          primary: days,
          secondary: images,
          condition: ee.Filter.maxDifference({
            difference: 3_600_000,
            leftField: 'system:time_start',
            rightField: 'system:time_start',
          }),
        }),
      );
      return joined.map((image: Client) =>
        rgb(ee.ImageCollection.fromImages(ee.List(image.get('sameDay'))).mosaic()),
      );
    },
  },
  {
    name: 'an inner join of two sensors',
    build: (ee) => {
      const joined = ee.Join.inner().apply(
        modis(ee),
        ee.ImageCollection('MODIS/061/MOD11A1'),
        ee.Filter.equals({ leftField: 'system:index', rightField: 'system:index' }),
      );
      return ee.ImageCollection(
        joined.map((pair: Client) =>
          ee.Image.cat(pair.get('primary'), pair.get('secondary')).visualize({
            bands: ['NDVI', 'EVI', 'LST_Day_1km'],
            min: [0, 0, 13_000],
            max: [9000, 9000, 16_000],
          }),
        ),
      );
    },
  },
  {
    name: 'saveBest with a property of the match',
    build: (ee) => {
      const joined = ee.ImageCollection(
        ee.Join.saveBest({ matchKey: 'best', measureKey: 'difference' }).apply(
          landsat(ee),
          modis(ee),
          ee.Filter.maxDifference(86_400_000, 'system:time_start', null, 'system:time_start'),
        ),
      );
      return joined
        .map((image: Client) => image.addBands(ee.Image(image.get('best'))))
        .map((image: Client) => image.visualize({ bands: ['B4', 'B3', 'NDVI'], max: [0.3, 0.3, 9000] }));
    },
  },
  {
    name: 'a running sum by iterate',
    build: (ee) => {
      const first = ee.List([ee.Image(0).toFloat().rename('sum')]);
      const sums = ee
        .ImageCollection('UCSB-CHG/CHIRPS/DAILY')
        .filterDate('2020-01-01', '2020-02-01')
        .iterate((image: Client, list: Client) => {
          const previous = ee.Image(ee.List(list).get(-1));
          return ee.List(list).add(image.add(previous).rename('sum').toFloat());
        }, first);
      return ee
        .ImageCollection(ee.List(sums))
        .map((image: Client) => image.visualize({ min: 0, max: 500, palette }));
    },
  },
  {
    name: 'iterate to one image, then frames from thresholds',
    build: (ee) => {
      const total = ee.Image(
        modis(ee)
          .select('NDVI')
          .iterate((image: Client, sum: Client) => ee.Image(sum).add(image), ee.Image(0)),
      );
      return ee.ImageCollection(
        ee.List.sequence(0, 100_000, 5000).map((limit: Client) =>
          total.gt(ee.Image.constant(ee.Number(limit))).visualize({ palette: ['000000', 'ffffff'] }),
        ),
      );
    },
  },
  {
    name: 'map in map',
    build: (ee) => {
      const years = ee.List.sequence(2018, 2020);
      const months = ee.List.sequence(1, 12);
      const frames = years
        .map((year: Client) =>
          months.map((month: Client) =>
            modis(ee)
              .filter(ee.Filter.calendarRange(year, year, 'year'))
              .filter(ee.Filter.calendarRange(month, month, 'month'))
              .mean()
              .set('year', year, 'month', month),
          ),
        )
        .flatten();
      return ee
        .ImageCollection(frames)
        .select('NDVI')
        .map((image: Client) => image.visualize(ndviVis));
    },
  },
  {
    name: 'a map over features in a map over images',
    build: (ee) => {
      const regions = ee.FeatureCollection('users/someone/regions');
      return modis(ee)
        .select('NDVI')
        .map((image: Client) => {
          const means = regions.map((region: Client) =>
            region.set(
              image.reduceRegion({ reducer: ee.Reducer.mean(), geometry: region.geometry(), scale: 1000 }),
            ),
          );
          return means.reduceToImage(['NDVI'], ee.Reducer.first()).visualize(ndviVis);
        });
    },
  },
  {
    name: 'SAR as a composite of two polarizations',
    build: (ee) =>
      ee
        .ImageCollection('COPERNICUS/S1_GRD')
        .filter(ee.Filter.listContains('transmitterReceiverPolarisation', 'VV'))
        .filter(ee.Filter.listContains('transmitterReceiverPolarisation', 'VH'))
        .filter(ee.Filter.eq('instrumentMode', 'IW'))
        .map((image: Client) => {
          const ratio = image.select('VV').subtract(image.select('VH')).rename('ratio');
          return image.addBands(ratio).visualize({
            bands: ['VV', 'VH', 'ratio'],
            min: [-25, -30, 0],
            max: [0, -5, 15],
          });
        }),
  },
  {
    name: 'SAR despeckled in linear units',
    build: (ee) =>
      ee
        .ImageCollection('COPERNICUS/S1_GRD')
        .select('VV')
        .map((image: Client) =>
          ee
            .Image(10)
            .pow(image.divide(10))
            .focalMedian(50, 'circle', 'meters')
            .log10()
            .multiply(10)
            .visualize({ min: -25, max: 0, palette: ['black', 'white'] }),
        ),
  },
  {
    name: 'percentiles of a reducer',
    build: (ee) =>
      ee.ImageCollection(
        ee.List.sequence(2015, 2020).map((year: Client) =>
          s2(ee)
            .filter(ee.Filter.calendarRange(year, year, 'year'))
            .select(['B4', 'B3', 'B2'])
            .reduce(ee.Reducer.percentile([30]))
            .visualize({ min: 0, max: 3000 }),
        ),
      ),
  },
  {
    name: 'combined reducers',
    build: (ee) =>
      ee.ImageCollection(
        ee.List.sequence(1, 12).map((month: Client) =>
          modis(ee)
            .select('NDVI')
            .filter(ee.Filter.calendarRange(month, month, 'month'))
            .reduce(
              ee.Reducer.mean()
                .combine(ee.Reducer.min(), null, true)
                .combine({ reducer2: ee.Reducer.max(), sharedInputs: true }),
            )
            .visualize({ min: 0, max: 9000 }),
        ),
      ),
  },
  {
    name: 'a trend by linearFit',
    build: (ee) => {
      const fit = modis(ee)
        .map((image: Client) => image.addBands(image.metadata('system:time_start').divide(1e12)))
        .select(['system:time_start', 'NDVI'])
        .reduce(ee.Reducer.linearFit());
      return ee.ImageCollection(
        ee.List.sequence(0, 10).map((step: Client) =>
          fit
            .select('offset')
            .add(fit.select('scale').multiply(ee.Image.constant(ee.Number(step))))
            .visualize({ min: 0, max: 9000, palette }),
        ),
      );
    },
  },
  {
    name: 'an expression',
    build: (ee) =>
      s2(ee).map((image: Client) =>
        image
          .expression('2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1)', {
            nir: image.select('B8'),
            red: image.select('B4'),
            blue: image.select('B2'),
          })
          .visualize({ min: -1, max: 1, palette }),
      ),
  },
  {
    name: 'a classification',
    build: (ee) => {
      const training = ee.Image('LANDSAT/A').sampleRegions({
        collection: ee.FeatureCollection('users/someone/points'),
        properties: ['class'],
        scale: 30,
      });
      const classifier = ee.Classifier.smileRandomForest(50).train(training, 'class', ['B4', 'B3', 'B2']);
      return landsat(ee).map((image: Client) =>
        image.classify(classifier).visualize({ min: 0, max: 3, palette }),
      );
    },
  },
  {
    name: 'a clustering',
    build: (ee) => {
      const points = ee.Image('LANDSAT/A').sample({ region: ee.Geometry.Rectangle([0, 0, 1, 1]), scale: 30 });
      const clusterer = ee.Clusterer.wekaKMeans(5).train(points);
      return landsat(ee).map((image: Client) => image.cluster(clusterer).randomVisualizer().slice(0, 3));
    },
  },
  {
    name: 'features painted on frames',
    build: (ee) => {
      const borders = ee.FeatureCollection('USDOS/LSIB_SIMPLE/2017');
      const outline = ee
        .Image()
        .byte()
        .paint(borders, 1, 2)
        .visualize({ palette: ['ff0000'] });
      return s2(ee).map((image: Client) => rgb(image).blend(outline));
    },
  },
  {
    name: 'features drawn with style',
    build: (ee) => {
      const borders = ee
        .FeatureCollection('USDOS/LSIB_SIMPLE/2017')
        .style({ color: 'white', fillColor: '00000000' });
      return s2(ee).map((image: Client) => rgb(image).blend(borders));
    },
  },
  {
    name: 'the time of day and year from properties',
    build: (ee) =>
      s2(ee)
        .map((image: Client) =>
          image.set({
            day: image.date().format('YYYY-MM-dd'),
            doy: image.date().getRelative('day', 'year'),
          }),
        )
        .sort('doy')
        .limit(100)
        .map(rgb),
  },
  {
    name: 'two collections merged',
    build: (ee) =>
      landsat(ee)
        .select(['B4', 'B3', 'B2'])
        .merge(ee.ImageCollection('LANDSAT/LC09/C02/T1_TOA').select(['B4', 'B3', 'B2']))
        .map((image: Client) => image.visualize({ max: 0.3 })),
  },
  {
    name: 'harmonized collections with renamed bands',
    build: (ee) => {
      const etm = ee
        .ImageCollection('LANDSAT/LE07/C02/T1_TOA')
        .select(['B3', 'B2', 'B1'], ['red', 'green', 'blue']);
      const oli = landsat(ee).select(['B4', 'B3', 'B2'], ['red', 'green', 'blue']);
      return etm
        .merge(oli)
        .sort('system:time_start')
        .map((image: Client) => image.visualize({ bands: ['red', 'green', 'blue'], max: 0.3 }));
    },
  },
  {
    name: 'arrays of a time series',
    build: (ee) => {
      const array = modis(ee).select(['NDVI', 'EVI']).toArray();
      const sorted = array.arraySort(array.arraySlice(1, 0, 1));
      return ee.ImageCollection(
        ee.List.sequence(0, 5).map((index: Client) =>
          sorted
            .arraySlice(0, ee.Number(index).int(), ee.Number(index).add(1).int())
            .arrayProject([1])
            .arrayFlatten([['NDVI', 'EVI']])
            .select('NDVI')
            .visualize(ndviVis),
        ),
      );
    },
  },
  {
    name: 'texture and kernels',
    build: (ee) =>
      s2(ee).map((image: Client) =>
        image
          .select('B8')
          .convolve(ee.Kernel.gaussian({ radius: 3, sigma: 2, units: 'pixels' }))
          .addBands(image.select('B8').reduceNeighborhood(ee.Reducer.stdDev(), ee.Kernel.square(3)))
          .addBands(image.select('B4').int32().glcmTexture(3).select('B4_contrast'))
          .visualize({ min: 0, max: 3000 }),
      ),
  },
  {
    name: 'HSV pan-sharpening',
    build: (ee) =>
      landsat(ee).map((image: Client) =>
        ee.Image.cat([
          image.select(['B4', 'B3', 'B2']).rgbToHsv().select('hue', 'saturation'),
          image.select('B8'),
        ])
          .hsvToRgb()
          .multiply(255)
          .uint8(),
      ),
  },
  {
    name: 'where, unmask, and constants',
    build: (ee) =>
      modis(ee)
        .select('NDVI')
        .map((image: Client) => {
          const water = ee.Image('JRC/GSW1_4/GlobalSurfaceWater').select('occurrence').gt(50).unmask(0);
          return image.unmask(-1).where(water, -2).where(image.lt(0), 0).visualize(ndviVis);
        }),
  },
  {
    name: 'If on the number of images, and a null',
    build: (ee) =>
      ee
        .ImageCollection(
          ee.List.sequence(1, 12).map((month: Client) => {
            const images = modis(ee).filter(ee.Filter.calendarRange(month, month, 'month'));
            return ee.Algorithms.If(images.size(), images.first().set('month', month), null);
          }, true),
        )
        .map((image: Client) => image.visualize({ bands: 'NDVI', ...ndviVis })),
  },
  {
    name: 'a quality mosaic and an angle',
    build: (ee) =>
      ee.ImageCollection(
        ee.List.sequence(2015, 2020).map((year: Client) =>
          s2(ee)
            .filter(ee.Filter.calendarRange(year, year, 'year'))
            .map((image: Client) => image.addBands(image.normalizedDifference(['B8', 'B4']).rename('nd')))
            .qualityMosaic('nd')
            .visualize({ bands: ['B4', 'B3', 'B2'], max: 3000 }),
        ),
      ),
  },
  {
    name: 'frames at full size with a projection',
    build: (ee) => s2(ee).map(rgb),
    options: { dimensions: '1920x1080', crs: 'EPSG:3857' },
  },
  {
    name: 'frames by scale',
    build: (ee) => s2(ee).map(rgb),
    options: { dimensions: undefined, scale: 100, crs: 'EPSG:32632' },
  },
  {
    name: 'a transform of coordinates',
    build: (ee) => s2(ee).map(rgb),
    options: { dimensions: undefined, crs: 'EPSG:4326', crsTransform: [0.01, 0, 7, 0, -0.01, 47] },
  },
  {
    name: 'a thousand frames and no more',
    build: (ee) =>
      ee.ImageCollection(
        ee.List.sequence(1, 1000).map((n: Client) =>
          ee.Image.constant(ee.Number(n)).visualize({ min: 0, max: 1000, palette }),
        ),
      ),
  },
  {
    name: 'Landsat algorithms',
    build: (ee) =>
      ee
        .ImageCollection('LANDSAT/LC08/C02/T1')
        .map((image: Client) => {
          const toa = ee.Algorithms.Landsat.TOA(image);
          const cloud = ee.Algorithms.Landsat.simpleCloudScore(toa).select('cloud');
          return toa.updateMask(cloud.lt(20));
        })
        .map((image: Client) => image.visualize({ bands: ['B4', 'B3', 'B2'], max: 0.3 })),
  },
  {
    name: 'statistics of a region in the stretch',
    build: (ee) =>
      modis(ee)
        .select('NDVI')
        .map((image: Client) => {
          const range = image.reduceRegion({
            reducer: ee.Reducer.minMax(),
            geometry: ee.Geometry.Polygon([
              [
                [7, 45],
                [9, 45],
                [9, 47],
              ],
            ]),
            scale: 1000,
            bestEffort: true,
          });
          const low = ee.Number(range.get('NDVI_min'));
          const high = ee.Number(ee.Dictionary(range).getNumber('NDVI_max'));
          return image
            .subtract(ee.Image.constant(low))
            .divide(ee.Image.constant(high.subtract(low)))
            .visualize({ min: 0, max: 1, palette });
        }),
  },
  {
    name: 'strings, dates, and dictionaries',
    build: (ee) => {
      const names = ee.Dictionary({ b: 'NDVI' });
      return modis(ee).map((image: Client) =>
        image
          .select([names.getString('b')])
          .set('label', ee.String('day ').cat(ee.Number(image.get('system:time_start')).format('%d')))
          .visualize(ndviVis),
      );
    },
  },
];
