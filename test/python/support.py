"""What several test files need."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

TASKS = ROOT / "test" / "fixtures" / "python-tasks"


class Collection:
    """Stands for an ee.ImageCollection whose graph is known."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph


class RecordedTask:
    """A task as earthengine-api 1.7 made it; only its collection is replaced, by one that serializes to the recorded graph."""

    def __init__(self, name: str) -> None:
        recorded = json.loads((TASKS / f"{name}.json").read_text())
        self.task_type = recorded["task_type"]
        self.workload_tag = recorded["workload_tag"]
        self.graph = recorded["config"]["expression"]
        self.config: dict[str, Any] = {**recorded["config"], "expression": Collection(self.graph)}


def fake_ee(made: list[dict[str, Any]] | None = None) -> Any:
    """Returns a patch that installs a module `ee`, which serializes a Collection and notes the exports that it makes."""
    ee = types.ModuleType("ee")

    def encode(value: Collection, for_cloud_api: bool) -> Any:
        assert for_cloud_api, "only the Cloud API's form can be published"
        return value.graph

    def to_cloud_storage(**options: Any) -> Any:
        if made is not None:
            made.append(options)
        task = RecordedTask("modis-ndvi-africa")
        task.config["description"] = options["description"]
        return task

    class ImageCollection:
        """Takes every call of the guides. What it computes is the recorded graph."""

        def __init__(self, graph: Any) -> None:
            self.graph = RecordedTask("modis-ndvi-africa").graph

        def filterDate(self, start: str, end: str) -> ImageCollection:
            return self

        def map(self, function: Any) -> ImageCollection:
            return self

    ee.Initialize = lambda project: None  # type: ignore[attr-defined]
    ee.Geometry = types.SimpleNamespace(Rectangle=lambda *_: None)  # type: ignore[attr-defined]
    ee.ImageCollection = ImageCollection  # type: ignore[attr-defined]
    ee.serializer = types.SimpleNamespace(encode=encode)  # type: ignore[attr-defined]
    video = types.SimpleNamespace(toCloudStorage=to_cloud_storage)
    ee.batch = types.SimpleNamespace(Export=types.SimpleNamespace(video=video))  # type: ignore[attr-defined]
    return mock.patch.dict(sys.modules, {"ee": ee})
