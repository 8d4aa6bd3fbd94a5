from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, Mapping

from support import ROOT

import ee_video_exports as exports
from ee_video_exports._service import choose_service

CHOICES = json.loads((ROOT / "test" / "fixtures" / "service-choices.json").read_text())
LED_BY = ("GOOGLE_CLOUD_PROJECT", "FIRESTORE_DATABASE", "FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "EARTHENGINE_EMULATOR_HOST")


class Choices(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = {"XDG_CONFIG_HOME": folder.name}
        self.file = Path(folder.name) / "ee-video-exports" / "contexts.json"

    def write(self, contexts: Any) -> None:
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(contexts if isinstance(contexts, str) else json.dumps(contexts))

    def choose(self, case: Mapping[str, Any]) -> Mapping[str, str]:
        current = {"current": case["current"]} if "current" in case else {}
        self.write({**current, "contexts": CHOICES["contexts"]})
        given = {**self.home, **case.get("variables", {})}
        return choose_service(given, project=case.get("project"), context=case.get("context"))

    def test_the_same_service_is_chosen_as_on_the_command_line(self) -> None:
        for case in CHOICES["cases"]:
            with self.subTest(case["title"]):
                if "fails" in case:
                    with self.assertRaisesRegex(exports.ConfigurationError, case["fails"]):
                        self.choose(case)
                else:
                    chosen = self.choose(case)
                    self.assertEqual({name: chosen[name] for name in LED_BY if chosen.get(name)}, case["finds"])

    def test_without_a_service_the_error_says_how_to_choose_one(self) -> None:
        for variables in ({}, self.home, {"XDG_CONFIG_HOME": "relative"}):
            with self.assertRaisesRegex(exports.ConfigurationError, "npm start.*context use.*set GOOGLE_CLOUD_PROJECT"):
                choose_service(variables)

    def test_a_file_that_cannot_be_read_is_named(self) -> None:
        for text in ("{", "[]", '{"contexts": {"a": {}}}', '{"contexts": {"a": {"kind": "local", "running": {}}}}'):
            self.write(text)
            with self.assertRaisesRegex(exports.ConfigurationError, f"Cannot read the contexts in {self.file}"):
                choose_service(self.home)

    def test_a_service_without_emulators_cannot_be_reached(self) -> None:
        running = {"environment": {"GOOGLE_CLOUD_PROJECT": "demo-p"}, "embedded": True, "pid": 1, "folder": "/"}
        self.write({"current": "local", "contexts": {"local": {"kind": "local", "running": running}}})
        with self.assertRaisesRegex(exports.ConfigurationError, "without Google's emulators"):
            choose_service(self.home)

    def test_the_client_uses_the_context(self) -> None:
        self.write({"current": "local", "contexts": CHOICES["contexts"]})
        with self.assertRaisesRegex(exports.ServiceError, "No response from 127.0.0.1:1"):
            exports.Client(environment=self.home, sleep=lambda _: None).get("a/key")


if __name__ == "__main__":
    unittest.main()
