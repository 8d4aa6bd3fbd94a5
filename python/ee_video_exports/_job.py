"""One attempt at a job, as its record in Firestore describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping

FINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "REJECTED", "LOST"})


@dataclass(frozen=True)
class Job:
    """One attempt at a job.

    Attributes:
        job_key: The name that its sender gave it.
        attempt: Which attempt it is, from 1.
        state: ``PUBLISHED`` while it has no record, then the state of its record.
        record_id: The ID of its record, or None while it has none.
        record: All fields of the record; the reference of the project describes them.
        message_id: The ID of the message that ``submit`` published; None if the job was looked up.
        project: The Earth Engine project, or None for the default of the service.
        published_at: When ``submit`` published it.
    """

    job_key: str
    attempt: int = 1
    state: str = "PUBLISHED"
    record_id: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)
    message_id: str | None = None
    project: str | None = None
    published_at: datetime | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended, successfully or not."""
        return self.state in FINAL_STATES

    @property
    def succeeded(self) -> bool:
        """Whether the video was rendered."""
        return self.state == "SUCCEEDED"

    @property
    def progress(self) -> float:
        """What Earth Engine reports, from 0 to 1."""
        return float(self.record.get("progress", 0.0))

    @property
    def output_uris(self) -> list[str]:
        """Where the video is. Empty until the job has succeeded."""
        return list(self.record.get("outputUris", []))

    @property
    def eecu_seconds(self) -> float | None:
        """What it has cost so far, in EECU-seconds, if Earth Engine reported it."""
        seconds = self.record.get("eecuSeconds")
        return None if seconds is None else float(seconds)

    @property
    def explanation(self) -> str:
        """Why it waits or failed, and what to do about it; empty if nothing is wrong."""
        error = self.record.get("error") or {}
        parts = [error.get("message"), error.get("advice")]
        waiting_for = self.record.get("waitingFor") if self.state == "WAITING" else None
        return " ".join(str(part) for part in (waiting_for, *parts) if part)


def job_of(record_id: str, record: Mapping[str, Any]) -> Job:
    """Returns the job of a record. A job without a key is known by the ID of its record."""
    return Job(
        job_key=str(record.get("jobKey", record_id)),
        attempt=int(record["attempt"]),
        state=str(record["state"]),
        record_id=record_id,
        record=record,
        project=str(record["project"]),
    )
