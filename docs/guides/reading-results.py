import ee_video_exports as exports


def show(jobs):
    for job in jobs:
        print(job.record_id, job.state, *job.output_uris[:1])


# All attempts at one job.
show(exports.find(job_key="africa-ndvi/2021"))

# The latest failures, newest first.
show(exports.find(states=["FAILED", "REJECTED", "LOST"], limit=20))

# The jobs of a batch, and how many of them succeeded.
batch = exports.batch("weekly-ndvi@2026-11-23")
show(batch)
print("succeeded:", sum(job.succeeded for job in batch))

# Jobs with a label.
show(exports.find(labels={"team": "vegetation"}))
