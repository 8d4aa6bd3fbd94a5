"""The errors that this package raises."""

from __future__ import annotations

from typing import Sequence


class ExportError(Exception):
    """Base class of this package's errors."""


class ConfigurationError(ExportError):
    """A setting is missing or wrong. The message says which one, and how to set it."""


class ServiceError(ExportError):
    """Google Cloud refused a call, or didn't answer it.

    Attributes:
        status: The HTTP status, or None if there was no response.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RejectedError(ExportError):
    """The service rejected the message: it never became a job.

    Attributes:
        reason: Why, such as ``INVALID_JOB`` or ``CONFLICT``.
        issues: Everything that is wrong, each with ``path`` and ``message``.
    """

    def __init__(self, job_key: str, reason: str, issues: Sequence[dict[str, str]]) -> None:
        self.reason = reason
        self.issues = list(issues)
        lines = [f"  {issue.get('path', '')}: {issue.get('message', '')}" for issue in self.issues]
        hint = (
            "\nTo run the changed job, submit it with a higher attempt, or under another job_key."
            if reason == "CONFLICT"
            else ""
        )
        super().__init__(f"{job_key} was rejected ({reason}):\n" + "\n".join(lines) + hint)
