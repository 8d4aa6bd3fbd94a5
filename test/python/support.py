"""What several test files need."""

from __future__ import annotations

import json
import sys
import types
import urllib.error
import urllib.request
from json import dumps
from pathlib import Path
from typing import Any, Mapping
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


class _Response:
    """The part of requests.Response that the guides use."""

    def __init__(self, status: int, body: bytes) -> None:
        self.ok = status < 400
        self._body = body

    def raise_for_status(self) -> None:
        assert self.ok, self._body

    def json(self) -> Any:
        return json.loads(self._body)


def fake_google_auth(environment: Mapping[str, str]) -> Any:
    """Returns a patch that installs `google.auth`, whose session reaches the emulators instead of Google Cloud."""
    hosts = {
        "https://pubsub.googleapis.com": environment["PUBSUB_EMULATOR_HOST"],
        "https://firestore.googleapis.com": environment["FIRESTORE_EMULATOR_HOST"],
    }

    class AuthorizedSession:
        def __init__(self, credentials: Any) -> None:
            assert credentials == "credentials"

        def get(self, url: str) -> _Response:
            return self.post(url, None)

        def post(self, url: str, json: Any) -> _Response:
            for google, emulator in hosts.items():
                url = url.replace(google, f"http://{emulator}")
            url = url.replace("/my-project/", f"/{environment['GOOGLE_CLOUD_PROJECT']}/")
            assert "googleapis" not in url, url
            data = None if json is None else dumps(json).encode()
            headers = {"Content-Type": "application/json", "Authorization": "Bearer owner"}
            try:
                with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers)) as response:
                    return _Response(response.status, response.read())
            except urllib.error.HTTPError as error:
                return _Response(error.code, error.read())

    modules = {name: types.ModuleType(name) for name in _AUTH_MODULES}
    auth, requests = modules["google.auth"], modules["google.auth.transport.requests"]
    auth.default = lambda scopes: ("credentials", None)  # type: ignore[attr-defined]
    requests.AuthorizedSession = AuthorizedSession  # type: ignore[attr-defined]
    modules["google"].auth = auth  # type: ignore[attr-defined]
    return mock.patch.dict(sys.modules, modules)


_AUTH_MODULES = ("google", "google.auth", "google.auth.transport", "google.auth.transport.requests")


def fake_ee(made: list[dict[str, Any]] | None = None) -> Any:
    """Returns a patch that installs a module `ee`, which serializes a Collection and notes the exports that it makes."""
    ee = types.ModuleType("ee")

    def encode(value: Collection, for_cloud_api: bool) -> Any:
        assert for_cloud_api, "only the Cloud API's form can be published"
        return value.graph

    def to_cloud_storage(*_: Any, **options: Any) -> Any:
        if made is not None:
            made.append(options)
        # With the recorded description: pages that use the same key describe their jobs differently.
        return RecordedTask("modis-ndvi-africa")

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
