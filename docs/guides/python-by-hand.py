import json

import ee
from google.cloud import firestore, pubsub_v1
from google.cloud.firestore_v1.base_query import FieldFilter

ee.Initialize(project="my-ee-project")

region = ee.Geometry.Rectangle([-18, -36, 52, 38], None, False)
frames = (
    ee.ImageCollection("MODIS/061/MOD13A2")
    .filterDate("2020-01-01", "2021-01-01")
    .map(lambda image: image.select(["NDVI"]))
    .map(lambda image: image.visualize(min=0, max=9000, palette=["ffffff", "00ff00"]))
)

# Create the task, but don't start it: its configuration is the request that start() would send.
task = ee.batch.Export.video.toCloudStorage(
    collection=frames,
    description="modis-ndvi-africa-2020",
    bucket="my-bucket",
    fileNamePrefix="ndvi/africa-2020",
    framesPerSecond=12,
    dimensions=720,
    region=region,
)
request = dict(task.config)
request["expression"] = ee.serializer.encode(request["expression"], for_cloud_api=True)

# Publish it under a name that you choose.
job = {"jobKey": "africa-ndvi/2020", "labels": {"team": "vegetation"}, "request": request}
publisher = pubsub_v1.PublisherClient()
topic = publisher.topic_path("my-project", "video-export-jobs")
message_id = publisher.publish(topic, json.dumps(job).encode()).result()

# Look it up, now or next week.
database = firestore.Client(project="my-project")
records = database.collection("videoExports").where(filter=FieldFilter("jobKey", "==", "africa-ndvi/2020"))
for record in records.stream():
    print(record.id, record.get("state"), record.to_dict().get("outputUris"))

# If there is no record after a few seconds, the message had mistakes.
rejected = database.collection("rejectedMessages").document(message_id).get()
if rejected.exists:
    for issue in rejected.get("issues"):
        print(issue["path"], issue["message"])
