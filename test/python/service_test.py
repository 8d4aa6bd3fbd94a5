"""Runs against a local stack, which the environment names. python.emulator.test.ts starts one."""

from __future__ import annotations

import contextlib
import io
import runpy
import unittest
from typing import Any

from support import ROOT, RecordedTask, fake_ee

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

    def test_the_script_of_the_guide_runs_as_written(self) -> None:
        printed, shown = io.StringIO(), io.StringIO()
        with fake_ee(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(shown):
            runpy.run_path(str(ROOT / "docs/guides/python-notebook.py"))
        self.assertRegex(printed.getvalue(), r"^SUCCEEDED \['https://")
        self.assertIn("1 of 1 ended  SUCCEEDED 1", shown.getvalue())

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


if __name__ == "__main__":
    unittest.main()
