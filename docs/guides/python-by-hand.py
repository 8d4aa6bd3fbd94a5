import base64
import json

import ee
import google.auth
from google.auth.transport.requests import AuthorizedSession

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
credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
http = AuthorizedSession(credentials)
topic = "projects/my-project/topics/video-export-jobs"
message = {"data": base64.b64encode(json.dumps(job).encode()).decode()}
published = http.post(f"https://pubsub.googleapis.com/v1/{topic}:publish", json={"messages": [message]})
published.raise_for_status()
message_id = published.json()["messageIds"][0]

# Look it up, now or next week.
documents = "https://firestore.googleapis.com/v1/projects/my-project/databases/(default)/documents"
has_key = {"field": {"fieldPath": "jobKey"}, "op": "EQUAL", "value": {"stringValue": "africa-ndvi/2020"}}
query = {"from": [{"collectionId": "videoExports"}], "where": {"fieldFilter": has_key}}
for row in http.post(f"{documents}:runQuery", json={"structuredQuery": query}).json():
    if "document" in row:
        print(row["document"]["name"], row["document"]["fields"]["state"]["stringValue"])

# If there is no record after a few seconds, the message had mistakes.
rejected = http.get(f"{documents}/rejectedMessages/{message_id}")
if rejected.ok:
    print(json.dumps(rejected.json()["fields"]["issues"], indent=2))
