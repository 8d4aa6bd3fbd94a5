"""Shows progress: a bar that is redrawn in a notebook and on a terminal, and lines of changes elsewhere."""

from __future__ import annotations

import html
import sys
from typing import Any, Protocol, Sequence, TextIO

from ._job import Job


class Progress(Protocol):
    """Shows the state of jobs until they end."""

    def show(self, jobs: Sequence[Job]) -> None:
        """Shows the jobs as they are now."""

    def close(self) -> None:
        """Ends the display. What it shows stays."""


def summary(jobs: Sequence[Job]) -> str:
    """Returns one line, such as ``2 of 3 ended  SUCCEEDED 2  RUNNING 1  (40%)``."""
    ended = sum(job.done for job in jobs)
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.state] = counts.get(job.state, 0) + 1
    parts = [f"{state} {count}" for state, count in counts.items()]
    return f"{ended} of {len(jobs)} ended  {'  '.join(parts)}  ({overall(jobs):.0%})"


def overall(jobs: Sequence[Job]) -> float:
    """Returns the progress of all jobs together, from 0 to 1."""
    return sum(1.0 if job.done else job.progress for job in jobs) / max(len(jobs), 1)


class TerminalProgress:
    """Redraws one line if the stream is a terminal; otherwise prints a line for each change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = ""

    def show(self, jobs: Sequence[Job]) -> None:
        line = summary(jobs)
        if line == self._last:
            return
        if self._stream.isatty():
            self._stream.write("\r" + line.ljust(len(self._last)))
        else:
            self._stream.write(line + "\n")
        self._stream.flush()
        self._last = line

    def close(self) -> None:
        if self._stream.isatty() and self._last:
            self._stream.write("\n")


class NotebookProgress:
    """Updates one output of a Jupyter or Colab cell: a bar, and a row per job that has not succeeded."""

    _MAX_ROWS = 20

    def __init__(self, display: Any, make_html: Any) -> None:
        self._make_html = make_html
        self._handle = display(make_html(""), display_id=True)

    def show(self, jobs: Sequence[Job]) -> None:
        rows = [
            f"<tr><td>{html.escape(job.job_key)}</td><td>{job.state}</td>"
            f"<td>{html.escape(job.explanation)}</td></tr>"
            for job in jobs
            if job.state != "SUCCEEDED"
        ]
        more = len(rows) - self._MAX_ROWS
        note = f"<p>and {more} more</p>" if more > 0 else ""
        self._handle.update(
            self._make_html(
                f'<progress value="{overall(jobs):.3f}" style="width: 100%"></progress>'
                f"<div>{html.escape(summary(jobs))}</div><table>{''.join(rows[: self._MAX_ROWS])}</table>{note}"
            )
        )

    def close(self) -> None:
        """Keeps the last output of the cell."""


def default_progress() -> Progress:
    """Returns the display that suits where the code runs."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    # Only a kernel can update an output: IPython on a terminal has a shell without one.
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import HTML, display

        return NotebookProgress(display, HTML)
    return TerminalProgress(sys.stderr)
