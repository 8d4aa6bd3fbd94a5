from __future__ import annotations

import unittest
from typing import Any

from support import Collection, RecordedTask, fake_ee

from ee_video_exports._request import build_request


class BuildRequest(unittest.TestCase):
    def build(self, source: Any, **options: Any) -> dict[str, Any]:
        with fake_ee():
            return build_request(source, "a/key", options)

    def test_a_task_becomes_the_request_that_start_would_send(self) -> None:
        task = RecordedTask("modis-ndvi-africa")
        request = self.build(task)
        self.assertEqual(request, {**task.config, "expression": task.graph})
        self.assertEqual(request["priority"], {"value": 200})

    def test_the_task_itself_stays_unchanged(self) -> None:
        task = RecordedTask("modis-ndvi-africa")
        self.build(task)
        self.assertIsInstance(task.config["expression"], Collection)

    def test_a_workload_tag_is_part_of_the_request_and_no_tag_is_not(self) -> None:
        self.assertEqual(self.build(RecordedTask("landsat-las-vegas-tagged"))["workloadTag"], "timelapse")
        self.assertNotIn("workloadTag", self.build(RecordedTask("landsat-transform")))

    def test_a_task_that_exports_something_else_is_an_error(self) -> None:
        with self.assertRaisesRegex(TypeError, "found a task of type EXPORT_IMAGE; allowed: .*Export.video"):
            self.build(RecordedTask("not-a-video"))

    def test_a_request_as_a_dictionary_is_published_as_it_is(self) -> None:
        request = {"expression": {"result": "0", "values": {}}, "fileExportOptions": {}}
        self.assertEqual(self.build(request), request)

    def test_a_collection_is_exported_with_the_options_of_the_client(self) -> None:
        made: list[dict[str, Any]] = []
        frames = Collection({})
        with fake_ee(made):
            build_request(frames, "africa ndvi/2020", {"bucket": "my-bucket", "dimensions": 720})
        self.assertEqual(
            made,
            [{"collection": frames, "description": "africa-ndvi-2020", "bucket": "my-bucket", "dimensions": 720}],
        )

    def test_options_with_a_task_are_an_error_because_they_would_have_no_effect(self) -> None:
        with self.assertRaisesRegex(TypeError, "bucket, region cannot be given with a task"):
            self.build(RecordedTask("landsat-drive"), region=None, bucket="b")


if __name__ == "__main__":
    unittest.main()
