"""The client: publishes job messages and reads records."""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from ._errors import ConfigurationError, ExportError, RejectedError
from ._firestore import all_of, any_of, contains, decode_fields, equals, one_of
from ._job import Job, job_of
from ._progress import Progress, default_progress
from ._request import build_request
from ._rest import RestClient, default_credentials
from ._service import choose_service

# Pub/Sub takes 10 MB; base64 makes the request larger, but the limit applies to the data.
_MAX_MESSAGE_BYTES = 10_485_760

# A message for a job that has a record already leaves no trace if its content is the same, and a rejection if not. The service
# needs a moment for that, so a job that had ended before is not reported earlier than this.
_CONFLICT_SECONDS = 15.0

_PAGE_SIZE = 300


class Client:
    """Publishes jobs to one deployment of the service, and reads their records.

    It can be shared between threads.
    """

    def __init__(
        self,
        project: str | None = None,
        *,
        context: str | None = None,
        database: str | None = None,
        jobs_topic: str | None = None,
        environment: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """
        Args:
            project: The Google Cloud project of the service. Default: ``GOOGLE_CLOUD_PROJECT``, or the context in use.
            context: A context of the command line, such as ``local`` for the service of ``npm start``.
            database: Its Firestore database. Default: ``FIRESTORE_DATABASE``, or ``(default)``.
            jobs_topic: Its topic for jobs. Default: ``JOBS_TOPIC``, or ``video-export-jobs``.
            environment: Variables to use instead of ``os.environ``. With ``FIRESTORE_EMULATOR_HOST`` and
                ``PUBSUB_EMULATOR_HOST``, the client uses these emulators.
            sleep: Waits between two looks at a job, and between retries.
            now: The clock.

        Raises:
            ConfigurationError: No service is chosen, only one of the emulators is set, or there are no credentials.
        """
        given = os.environ if environment is None else environment
        variables = choose_service(given, project=project, context=context)
        found = variables["GOOGLE_CLOUD_PROJECT"]
        firestore = variables.get("FIRESTORE_EMULATOR_HOST")
        pubsub = variables.get("PUBSUB_EMULATOR_HOST")
        self._sleep = sleep
        self._now = now
        self._rest = RestClient(None if firestore else default_credentials(), sleep=sleep)
        topic = jobs_topic or variables.get("JOBS_TOPIC") or "video-export-jobs"
        name = database or variables.get("FIRESTORE_DATABASE") or "(default)"
        pubsub_url = f"http://{pubsub}" if pubsub else "https://pubsub.googleapis.com"
        firestore_url = f"http://{firestore}" if firestore else "https://firestore.googleapis.com"
        self._publish_url = f"{pubsub_url}/v1/projects/{found}/topics/{topic}:publish"
        self._documents_url = f"{firestore_url}/v1/projects/{found}/databases/{name}/documents"

    def submit(
        self,
        task_or_collection: Any,
        *,
        job_key: str,
        labels: Mapping[str, str] | None = None,
        attempt: int = 1,
        project: str | None = None,
        batch_id: str | None = None,
        **options: Any,
    ) -> Job:
        """Publishes a job. Publishing it again has no effect, so a cell can be run twice.

        Args:
            task_or_collection: A task of ``ee.batch.Export.video`` that was not started; or a collection of frames, with the
                arguments of ``Export.video.toCloudStorage`` as options; or a request as a dictionary.
            job_key: Your own name for the job, at most 200 characters. It identifies the job.
            labels: Up to 16 labels, copied to the record, so that you can query by them.
            attempt: Increase it to run the same job again on purpose.
            project: The Earth Engine project that runs the job. Default: the service's.
            batch_id: Groups jobs.
            **options: For a collection: ``bucket``, ``fileNamePrefix``, ``region``, ``dimensions``, ``framesPerSecond`` ...

        Returns:
            The job, in state ``PUBLISHED``. Pass it to ``wait`` or ``refresh``.

        Raises:
            TypeError: The first argument is not a video export.
            ExportError: The message is too large.
            ServiceError: Pub/Sub refused it.
        """
        message: dict[str, Any] = {"jobKey": job_key, "request": build_request(task_or_collection, job_key, options)}
        for name, value in (("project", project), ("batchId", batch_id), ("labels", dict(labels or {}))):
            if value:
                message[name] = value
        if attempt != 1:
            message["attempt"] = attempt
        data = json.dumps(message, separators=(",", ":")).encode()
        if len(data) > _MAX_MESSAGE_BYTES:
            raise ExportError(
                f"{job_key} has {len(data):,} bytes; allowed: {_MAX_MESSAGE_BYTES:,}. Simplify its geometries, or load them "
                "from an asset."
            )
        published_at = self._now()
        answer = self._rest.call("POST", self._publish_url, {"messages": [{"data": base64.b64encode(data).decode()}]})
        return Job(
            job_key=job_key,
            attempt=attempt,
            message_id=str(answer["messageIds"][0]),
            project=project,
            published_at=published_at,
        )

    def get(self, job_key: str, *, attempt: int | None = None, project: str | None = None) -> Job | None:
        """Returns the latest attempt at a job, or the given one; None if it has no record.

        Args:
            job_key: The name of the job.
            attempt: Which attempt. Default: the latest.
            project: The Earth Engine project, if several projects have a job with this key.

        Raises:
            ExportError: Several projects have a job with this key.
        """
        found = [
            job
            for job in self._query(equals("jobKey", job_key))
            if (attempt is None or job.attempt == attempt) and (project is None or job.project == project)
        ]
        projects = sorted({str(job.project) for job in found})
        if len(projects) > 1:
            raise ExportError(f"Several projects have a job {job_key}. Pass project: {', '.join(projects)}.")
        return max(found, key=lambda job: job.attempt) if found else None

    def batch(self, batch_id: str) -> list[Job]:
        """Returns the jobs of a batch, each with its latest attempt, ordered by key.

        Args:
            batch_id: The ID of the batch; for a manifest, ``{batchId}@{run}``.
        """
        latest: dict[tuple[str | None, str], Job] = {}
        for job in self._query(any_of(equals("batchId", batch_id), contains("alsoBatches", batch_id))):
            known = latest.get((job.project, job.job_key))
            if known is None or known.attempt < job.attempt:
                latest[job.project, job.job_key] = job
        return sorted(latest.values(), key=lambda job: job.job_key)

    def find(
        self,
        *,
        job_key: str | None = None,
        states: Iterable[str] | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> list[Job]:
        """Returns all attempts with a key, those in given states (the newest first), or those with labels.

        Args:
            job_key: The name of a job.
            states: States, such as ``["FAILED", "LOST"]``.
            labels: Labels, all of which a job must have.
            limit: How many, at most. Default: all of them.

        Raises:
            TypeError: Not exactly one of ``job_key``, ``states``, and ``labels`` is given: Firestore has no index for more.
        """
        if sum(bool(given) for given in (job_key, states, labels)) != 1:
            raise TypeError("Give one of job_key, states, and labels.")
        if states:
            return list(self._query(one_of("state", sorted(states)), limit=limit, newest_first=True))
        wanted = {f"labels.`{name}`": value for name, value in (labels or {}).items()} or {"jobKey": str(job_key)}
        return list(self._query(all_of(*(equals(*each) for each in wanted.items())), limit=limit))

    def refresh(self, job: Job) -> Job:
        """Returns the job as it is now.

        Raises:
            RejectedError: The service rejected its message.
        """
        current = self._lookup(job)
        # A record of this message proves that it was not rejected.
        if job.message_id is not None and (current is None or current.record.get("messageId") != job.message_id):
            self._raise_if_rejected(job.job_key, job.message_id)
        if current is None:
            return job
        return replace(current, message_id=job.message_id, published_at=job.published_at)

    def wait(
        self,
        jobs: Job | Iterable[Job],
        *,
        timeout_seconds: float | None = None,
        poll_seconds: float = 5.0,
        progress: Progress | None = None,
    ) -> list[Job]:
        """Waits until all jobs have ended, and shows their progress: as a bar in a notebook, as text elsewhere.

        Interrupting it does not affect the jobs.

        Args:
            jobs: What ``submit``, ``get``, or ``batch`` returned.
            timeout_seconds: How long to wait. Default: without a limit.
            poll_seconds: The time between two looks.
            progress: Shows the jobs. Default: what suits where the code runs.

        Returns:
            The jobs in their final states. Check ``succeeded`` of each.

        Raises:
            RejectedError: The service rejected the message of one of them.
            TimeoutError: They have not ended in time.
        """
        current = [jobs] if isinstance(jobs, Job) else list(jobs)
        display = progress or default_progress()
        until = None if timeout_seconds is None else self._now() + timedelta(seconds=timeout_seconds)
        settled: list[bool] = [False] * len(current)
        try:
            while True:
                for index, job in enumerate(current):
                    if not settled[index]:
                        current[index] = self.refresh(job)
                        settled[index] = self._is_settled(current[index])
                display.show(current)
                if all(settled):
                    return current
                if until is not None and self._now() >= until:
                    waiting = sum(not each for each in settled)
                    raise TimeoutError(
                        f"{waiting} of {len(current)} jobs have not ended after {timeout_seconds:g} seconds. They go on; "
                        "call wait again."
                    )
                self._sleep(poll_seconds)
        finally:
            display.close()

    def to_dataframe(self, jobs: str | Iterable[Job]) -> Any:
        """Returns a pandas.DataFrame with a row for each job, and its labels as columns ``label.NAME``.

        Args:
            jobs: The ID of a batch, or jobs.

        Raises:
            ConfigurationError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ConfigurationError("Install pandas to use to_dataframe, or use batch, which returns a list.") from error
        found = self.batch(jobs) if isinstance(jobs, str) else jobs
        return pandas.DataFrame([_row(job) for job in found])

    def _lookup(self, job: Job) -> Job | None:
        if job.record_id is not None:
            url = f"{self._documents_url}/videoExports/{quote(job.record_id, safe='')}"
            document = self._rest.call("GET", url)
            return None if document is None else _job_of(document)
        return self.get(job.job_key, attempt=job.attempt, project=job.project)

    def _raise_if_rejected(self, job_key: str, message_id: str) -> None:
        document = self._rest.call("GET", f"{self._documents_url}/rejectedMessages/{quote(message_id, safe='')}")
        if document is not None:
            fields = decode_fields(document["fields"])
            raise RejectedError(job_key, fields["reason"], fields["issues"])

    def _is_settled(self, job: Job) -> bool:
        if not job.done:
            return False
        if job.published_at is None or job.record.get("messageId") == job.message_id:
            return True
        return self._now() - job.published_at >= timedelta(seconds=_CONFLICT_SECONDS)

    def _query(
        self, condition: Mapping[str, Any], *, limit: int | None = None, newest_first: bool = False
    ) -> Iterator[Job]:
        """Yields the records that match, page by page: a batch can have tens of thousands."""
        by_time = [{"field": {"fieldPath": "createdAt"}, "direction": "DESCENDING"}] if newest_first else []
        by_name = {"field": {"fieldPath": "__name__"}, "direction": "DESCENDING" if newest_first else "ASCENDING"}
        query: dict[str, Any] = {
            "from": [{"collectionId": "videoExports"}],
            "where": condition,
            "orderBy": [*by_time, by_name],
        }
        remaining = limit
        while remaining is None or remaining > 0:
            query["limit"] = _PAGE_SIZE if remaining is None else min(_PAGE_SIZE, remaining)
            rows: Sequence[Any] = self._rest.call(
                "POST", f"{self._documents_url}:runQuery", {"structuredQuery": query}
            )
            documents = [row["document"] for row in rows if "document" in row]
            yield from map(_job_of, documents)
            if len(documents) < query["limit"]:
                return
            last = documents[-1]
            cursor = [last["fields"]["createdAt"]] if newest_first else []
            query["startAt"] = {"values": [*cursor, {"referenceValue": last["name"]}], "before": False}
            remaining = None if remaining is None else remaining - len(documents)


def _job_of(document: Mapping[str, Any]) -> Job:
    return job_of(document["name"].rsplit("/", 1)[1], decode_fields(document["fields"]))


_COLUMNS = ("destination", "priority", "progress", "createdAt", "submittedAt", "startedAt", "finishedAt", "eecuSeconds")


def _row(job: Job) -> dict[str, Any]:
    labels = {f"label.{name}": value for name, value in job.record.get("labels", {}).items()}
    return {
        "jobKey": job.job_key,
        "attempt": job.attempt,
        "state": job.state,
        **{name: job.record.get(name) for name in _COLUMNS},
        "explanation": job.explanation,
        "outputUris": job.output_uris,
        "recordId": job.record_id,
        **labels,
    }
