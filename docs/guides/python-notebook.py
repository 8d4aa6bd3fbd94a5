import ee
import ee_video_exports as exports

ee.Initialize(project="my-ee-project")

region = ee.Geometry.Rectangle([-18, -36, 52, 38], None, False)
frames = (
    ee.ImageCollection("MODIS/061/MOD13A2")
    .filterDate("2020-01-01", "2021-01-01")
    .map(lambda image: image.select(["NDVI"]))
    .map(lambda image: image.visualize(min=0, max=9000, palette=["ffffff", "00ff00"]))
)

# Create the task, but don't start it: submit publishes the request that start() would send.
task = ee.batch.Export.video.toCloudStorage(
    collection=frames,
    description="modis-ndvi-africa-2020",
    bucket="my-bucket",
    fileNamePrefix="ndvi/africa-2020",
    framesPerSecond=12,
    dimensions=720,
    region=region,
)
job = exports.submit(task, job_key="africa-ndvi/2020", labels={"team": "vegetation"})

# Watch it, if you like. You can also close the notebook.
exports.wait(job)

# Look it up, now or next week.
job = exports.get("africa-ndvi/2020")
print(job.state, job.output_uris, job.explanation)
