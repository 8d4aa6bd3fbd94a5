"""Runs against a local stack, which the environment names. python.emulator.test.ts starts one."""

from __future__ import annotations

import contextlib
import io
import os
import re
import time
import unittest
from typing import Any
from unittest import mock

from support import ROOT, RecordedTask, fake_ee, fake_google_auth

import ee_video_exports as exports
from ee_video_exports._progress import TerminalProgress

BUCKET = "my-bucket"


class Service(unittest.TestCase):
    def submit(self, name: str, **options: Any) -> exports.Job:
        with fake_ee():
            return exports.submit(RecordedTask(name), **options)

    def wait(self, jobs: Any) -> list[exports.Job]:
        quiet = TerminalProgress(io.StringIO())
        return exports.wait(jobs, timeout_seconds=90, poll_seconds=0.2, progress=quiet)

    def test_a_task_becomes_a_video(self) -> None:
        job = self.submit("modis-ndvi-africa", job_key="python/africa", labels={"team": "vegetation"})
        self.assertEqual(job.state, "PUBLISHED")
        (ended,) = self.wait(job)
        self.assertTrue(ended.succeeded, ended)
        self.assertTrue(ended.output_uris)
        self.assertEqual(ended.record["destination"], f"gs://{BUCKET}/ndvi/africa")
        self.assertEqual(ended.record["priority"], 200)
        self.assertEqual(exports.get("python/africa"), exports.get("python/africa", attempt=1))
        self.assertIsNone(exports.get("python/unknown"))

    def test_running_the_cell_twice_runs_the_job_once_and_a_changed_job_is_rejected(self) -> None:
        first = self.submit("landsat-transform", job_key="python/twice")
        (ended,) = self.wait(first)
        again = self.submit("landsat-transform", job_key="python/twice")
        self.assertEqual(exports.refresh(again).record_id, ended.record_id)
        changed = self.submit("landsat-las-vegas-tagged", job_key="python/twice")
        with self.assertRaisesRegex(exports.RejectedError, "(?s)CONFLICT.*request.*higher attempt") as raised:
            self.wait(changed)
        self.assertEqual(raised.exception.reason, "CONFLICT")

    def test_a_higher_attempt_runs_again_and_get_returns_it(self) -> None:
        self.wait(self.submit("landsat-transform", job_key="python/attempts"))
        (second,) = self.wait(self.submit("landsat-transform", job_key="python/attempts", attempt=2))
        self.assertTrue(second.succeeded)
        latest = exports.get("python/attempts")
        assert latest is not None
        self.assertEqual((latest.attempt, latest.record_id), (2, second.record_id))

    def test_a_message_with_mistakes_raises_all_of_them(self) -> None:
        task = RecordedTask("modis-ndvi-africa")
        task.config["videoOptions"] = {"framesPerSecond": 500}
        task.config["priority"] = -1
        with fake_ee():
            job = exports.submit(task, job_key="python/broken")
        with self.assertRaises(exports.RejectedError) as raised:
            self.wait(job)
        paths = {issue["path"] for issue in raised.exception.issues}
        self.assertEqual(paths, {"request.videoOptions.framesPerSecond", "request.priority"})

    def test_a_drive_export_is_rejected_because_no_person_could_see_the_file(self) -> None:
        with self.assertRaisesRegex(exports.RejectedError, "INVALID_JOB"):
            self.wait(self.submit("landsat-drive", job_key="python/drive"))

    def test_attempts_are_found_by_key_by_state_and_by_labels(self) -> None:
        labels = {"team": "python-find", "a-b": "c"}
        for attempt in (1, 2):
            self.wait(self.submit("landsat-transform", job_key="python/find", attempt=attempt, labels=labels))
        self.assertEqual(sorted(job.attempt for job in exports.find(job_key="python/find")), [1, 2])
        self.assertEqual(len(exports.find(labels=labels)), 2)
        self.assertEqual(exports.find(labels={**labels, "team": "other"}), [])
        newest = exports.find(states=["SUCCEEDED", "FAILED"])
        created = [job.record["createdAt"] for job in newest]
        self.assertEqual(created, sorted(created, reverse=True))
        with mock.patch("ee_video_exports._client._PAGE_SIZE", 1):
            self.assertEqual(exports.find(states=["SUCCEEDED", "FAILED"]), newest)
            self.assertEqual(exports.find(states=["SUCCEEDED", "FAILED"], limit=2), newest[:2])

    def test_a_batch_is_a_list_and_a_table(self) -> None:
        keys = ["python/batch/a", "python/batch/b"]
        jobs = [
            self.submit("modis-ndvi-africa", job_key=key, batch_id="python-batch", labels={"region": key[-1]})
            for key in keys
        ]
        self.wait(jobs)
        self.assertEqual([job.job_key for job in exports.batch("python-batch")], keys)
        try:
            import pandas  # noqa: F401
        except ImportError:
            with self.assertRaisesRegex(exports.ConfigurationError, "Install pandas"):
                exports.to_dataframe("python-batch")
            return
        table = exports.to_dataframe("python-batch")
        self.assertEqual(list(table["jobKey"]), keys)
        self.assertEqual(list(table["label.region"]), ["a", "b"])


class Pages(unittest.TestCase):
    """Runs every block of Python in every page, as written. Only Earth Engine's client and google-auth are replaced."""

    prints = {
        "docs/guides/python-notebook.py": r"^SUCCEEDED \['https://",
        # The job is there already, so nothing is started.
        "docs/guides/python-by-hand.py": r"/videoExports/ve1-\w{32} SUCCEEDED\n$",
        "docs/guides/reading-results.py": r"^succeeded: 0\nve1-\w{32} SUCCEEDED https://",
        "README.md, 1": "^$",
        "python/README.md, 1": "^$",
    }

    def run_block(self, name: str, code: str) -> str:
        printed, shown = io.StringIO(), io.StringIO()
        outside = (
            fake_ee(),
            fake_google_auth(os.environ),
            mock.patch("ee_video_exports._client._CONFLICT_SECONDS", 1.0),
            # The code blocks of a page wait five seconds between checks, and the jobs here end sooner.
            mock.patch.object(exports._client(), "_sleep", lambda seconds: time.sleep(min(seconds, 0.2))),
        )
        with contextlib.ExitStack() as stack:
            for each in (*outside, contextlib.redirect_stdout(printed), contextlib.redirect_stderr(shown)):
                stack.enter_context(each)
            exec(compile(code, name, "exec"), {"__name__": "__main__"})
        return printed.getvalue()

    def test_every_block_runs_as_written(self) -> None:
        blocks: dict[str, str] = {}
        for page in sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("python/*.md"), *ROOT.glob("infra/*.md"))):
            found = re.findall(r"^(?:<!-- file: (\S+) -->\n\n)?```python\n(.*?)^```$", page.read_text(), re.M | re.S)
            unnamed = 0
            for file, code in found:
                if file:
                    path = page.parent / file
                    self.assertEqual(path.read_text(), code)
                    blocks[str(path.relative_to(ROOT))] = code
                else:
                    unnamed += 1
                    blocks[f"{page.relative_to(ROOT)}, {unnamed}"] = code
        self.assertEqual(set(blocks), set(self.prints))
        # In this order: the notebook's job is the one that the others find.
        for name, pattern in self.prints.items():
            with self.subTest(name):
                self.assertRegex(self.run_block(name, blocks[name]), pattern)


if __name__ == "__main__":
    unittest.main()
