"""Submits Earth Engine video exports to a service that starts each exactly once, and follows them.

    import ee_video_exports as exports

    job = exports.submit(task, job_key="africa-ndvi/2020", labels={"team": "vegetation"})
    exports.wait(job)

The functions use one client for the service that the command line uses: ``GOOGLE_CLOUD_PROJECT``, or the context in use, which
``npm start`` sets. For another service, create a ``Client``, which has the same methods.
"""

from __future__ import annotations

import threading
from typing import Any, Iterable, Mapping

from ._client import Client
from ._errors import ConfigurationError, ExportError, RejectedError, ServiceError
from ._job import FINAL_STATES, Job
from ._progress import Progress

__all__ = [
    "FINAL_STATES",
    "Client",
    "ConfigurationError",
    "ExportError",
    "Job",
    "Progress",
    "RejectedError",
    "ServiceError",
    "batch",
    "find",
    "get",
    "refresh",
    "submit",
    "to_dataframe",
    "wait",
]

_lock = threading.Lock()
_default_client: Client | None = None


def _client() -> Client:
    # The client is made when it is first needed: importing the package must not fail without settings.
    global _default_client
    with _lock:
        if _default_client is None:
            _default_client = Client()
        return _default_client


def submit(
    task_or_collection: Any,
    *,
    job_key: str,
    labels: Mapping[str, str] | None = None,
    attempt: int = 1,
    project: str | None = None,
    batch_id: str | None = None,
    **options: Any,
) -> Job:
    """Publishes a job. See ``Client.submit``."""
    return _client().submit(
        task_or_collection,
        job_key=job_key,
        labels=labels,
        attempt=attempt,
        project=project,
        batch_id=batch_id,
        **options,
    )


def get(job_key: str, *, attempt: int | None = None, project: str | None = None) -> Job | None:
    """Returns the latest attempt at a job. See ``Client.get``."""
    return _client().get(job_key, attempt=attempt, project=project)


def batch(batch_id: str) -> list[Job]:
    """Returns the jobs of a batch. See ``Client.batch``."""
    return _client().batch(batch_id)


def find(
    *,
    job_key: str | None = None,
    states: Iterable[str] | None = None,
    labels: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> list[Job]:
    """Returns all attempts with a key, those in given states, or those with labels. See ``Client.find``."""
    return _client().find(job_key=job_key, states=states, labels=labels, limit=limit)


def refresh(job: Job) -> Job:
    """Returns the job as it is now. See ``Client.refresh``."""
    return _client().refresh(job)


def wait(
    jobs: Job | Iterable[Job],
    *,
    timeout_seconds: float | None = None,
    poll_seconds: float = 5.0,
    progress: Progress | None = None,
) -> list[Job]:
    """Waits until all jobs have ended, and shows their progress. See ``Client.wait``."""
    return _client().wait(jobs, timeout_seconds=timeout_seconds, poll_seconds=poll_seconds, progress=progress)


def to_dataframe(jobs: str | Iterable[Job]) -> Any:
    """Returns a pandas.DataFrame of a batch, or of jobs. See ``Client.to_dataframe``."""
    return _client().to_dataframe(jobs)
