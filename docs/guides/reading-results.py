from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

records = firestore.Client(project="my-project").collection("videoExports")


def show(query):
    for record in query.stream():
        print(record.id, record.get("state"), record.to_dict().get("outputUris"))


# All attempts at one job.
show(records.where(filter=FieldFilter("jobKey", "==", "africa-ndvi/2021")))

# The latest failures, newest first.
failed = records.where(filter=FieldFilter("state", "in", ["FAILED", "REJECTED", "LOST"]))
show(failed.order_by("createdAt", direction=firestore.Query.DESCENDING).limit(20))

# The jobs of a batch, and how many of them succeeded. The database counts them, which costs almost nothing.
batch = records.where(filter=FieldFilter("batchId", "==", "weekly-ndvi@2026-11-23"))
show(batch.order_by("createdAt", direction=firestore.Query.DESCENDING))
succeeded = batch.where(filter=FieldFilter("state", "==", "SUCCEEDED")).count().get()
print("succeeded:", succeeded[0][0].value)

# Jobs with a label.
show(records.where(filter=FieldFilter("labels.team", "==", "vegetation")))
