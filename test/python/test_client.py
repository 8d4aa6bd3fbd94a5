from __future__ import annotations

import http.server
import io
import json
import threading
import unittest
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import support  # noqa: F401  (makes the package importable)

import ee_video_exports as exports
from ee_video_exports._firestore import decode_fields
from ee_video_exports._job import job_of
from ee_video_exports._progress import NotebookProgress, TerminalProgress, default_progress
from ee_video_exports._rest import RestClient


class Settings(unittest.TestCase):
    def test_without_google_auth_the_error_says_what_to_install(self) -> None:
        with mock.patch.dict("sys.modules", {"google": None, "google.auth": None}):
            with self.assertRaisesRegex(exports.ConfigurationError, "Install google-auth"):
                exports.Client("my-project", environment={})

    def test_a_query_without_an_index_is_refused(self) -> None:
        emulators = {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:1", "PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}
        client = exports.Client("demo-p", environment=emulators)
        for wrong in ({}, {"job_key": "a", "states": ["FAILED"]}):
            with self.assertRaisesRegex(TypeError, "Give one of job_key, states, and labels"):
                client.find(**wrong)


class Answers:
    """An HTTP server that gives the given answers, one after the other, and notes the requests."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.requests: list[tuple[str, str | None]] = []
        remaining = list(answers)
        seen = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen.append((self.path, self.headers.get("Authorization")))
                status, body = remaining.pop(0)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        # Seconds between the server's checks whether it should stop.
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()


class Calls(unittest.TestCase):
    def test_transient_errors_are_retried_with_growing_delays(self) -> None:
        slept: list[float] = []
        with Answers((503, b"<html>"), (429, b"{}"), (200, b'{"ok": true}')) as answers:
            self.assertEqual(RestClient(None, sleep=slept.append).call("POST", answers.url, {}), {"ok": True})
        self.assertEqual(len(slept), 2)
        self.assertTrue(0 <= slept[0] <= 1 and 0 <= slept[1] <= 2, slept)

    def test_a_refusal_is_not_retried_and_keeps_googles_message(self) -> None:
        body = json.dumps({"error": {"message": "Topic not found"}}).encode()
        with Answers((403, body)) as answers:
            with self.assertRaisesRegex(exports.ServiceError, "answered 403: Topic not found") as raised:
                RestClient(None).call("POST", answers.url, {})
        self.assertEqual(raised.exception.status, 403)

    def test_a_page_of_a_proxy_is_not_shown(self) -> None:
        with Answers((400, b"<html>secret</html>")) as answers:
            with self.assertRaises(exports.ServiceError) as raised:
                RestClient(None).call("POST", answers.url, {})
        self.assertNotIn("secret", str(raised.exception))

    def test_no_server_is_an_error_of_the_service(self) -> None:
        with Answers() as answers:
            url = answers.url
        with self.assertRaisesRegex(exports.ServiceError, "No response from 127.0.0.1"):
            RestClient(None, sleep=lambda _: None).call("GET", url)

    def test_credentials_are_refreshed_before_they_are_used(self) -> None:
        class Expired:
            valid = False
            token = None
            quota_project_id = None

            def refresh(self, request: Any) -> None:
                self.token = "fresh"
                self.valid = True

        transport = mock.MagicMock()
        modules = dict.fromkeys(["google", "google.auth", "google.auth.transport", "google.auth.transport.requests"], transport)
        with mock.patch.dict("sys.modules", modules), Answers((200, b"{}")) as answers:
            RestClient(Expired()).call("GET", answers.url)
        self.assertEqual(answers.requests[0][1], "Bearer fresh")


class Documents(unittest.TestCase):
    def test_every_kind_of_value_is_read(self) -> None:
        fields = {
            "none": {"nullValue": None},
            "yes": {"booleanValue": True},
            "whole": {"integerValue": "12"},
            "real": {"doubleValue": 0.5},
            "text": {"stringValue": "a"},
            "bytes": {"bytesValue": "aGk="},
            "nanoseconds": {"timestampValue": "2026-11-23T10:00:00.123456789Z"},
            "whole second": {"timestampValue": "2026-11-23T10:00:00Z"},
            "list": {"arrayValue": {"values": [{"integerValue": "1"}]}},
            "empty list": {"arrayValue": {}},
            "map": {"mapValue": {"fields": {"a": {"stringValue": "b"}}}},
        }
        self.assertEqual(
            decode_fields(fields),
            {
                "none": None,
                "yes": True,
                "whole": 12,
                "real": 0.5,
                "text": "a",
                "bytes": b"hi",
                "nanoseconds": datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=timezone.utc),
                "whole second": datetime(2026, 11, 23, 10, tzinfo=timezone.utc),
                "list": [1],
                "empty list": [],
                "map": {"a": "b"},
            },
        )


def job(key: str, state: str, **fields: Any) -> exports.Job:
    return job_of(f"ve1-{key}", {"jobKey": key, "attempt": 1, "state": state, "project": "p", **fields})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ProgressDisplays(unittest.TestCase):
    jobs = (job("a", "SUCCEEDED"), job("b", "RUNNING", progress=0.5))

    def test_a_terminal_shows_one_line_that_is_redrawn(self) -> None:
        stream = Terminal()
        progress = TerminalProgress(stream)
        progress.show(self.jobs)
        progress.show(self.jobs)
        progress.show([job("a", "SUCCEEDED"), job("b", "SUCCEEDED")])
        progress.close()
        first, *rest = stream.getvalue().split("\r")[1:]
        self.assertEqual(first, "1 of 2 ended  SUCCEEDED 1  RUNNING 1  (75%)")
        self.assertEqual([line.rstrip() for line in rest], ["2 of 2 ended  SUCCEEDED 2  (100%)"])

    def test_a_file_gets_one_line_per_change(self) -> None:
        stream = io.StringIO()
        progress = TerminalProgress(stream)
        progress.show(self.jobs)
        progress.show(self.jobs)
        self.assertEqual(stream.getvalue(), "1 of 2 ended  SUCCEEDED 1  RUNNING 1  (75%)\n")

    def test_a_notebook_shows_a_bar_and_what_went_wrong_as_text(self) -> None:
        display = mock.MagicMock()
        progress = NotebookProgress(display, lambda html: html)
        failed = job("<img onerror>", "FAILED", error={"message": "Out of <memory>.", "advice": "Use a coarser scale."})
        progress.show([*self.jobs, failed])
        shown = display.return_value.update.call_args.args[0]
        self.assertIn('<progress value="0.833"', shown)
        self.assertIn("<td>&lt;img onerror&gt;</td><td>FAILED</td><td>Out of &lt;memory&gt;. Use a coarser scale.</td>", shown)

    def test_a_notebook_is_recognized_by_its_kernel(self) -> None:
        shell = mock.MagicMock()
        interactive = mock.MagicMock(get_ipython=lambda: shell)
        with mock.patch.dict("sys.modules", {"IPython": interactive, "IPython.display": mock.MagicMock()}):
            self.assertIsInstance(default_progress(), NotebookProgress)
            del shell.kernel
            self.assertIsInstance(default_progress(), TerminalProgress)


class Explanations(unittest.TestCase):
    def test_a_waiting_job_says_what_it_waits_for(self) -> None:
        waiting = job("a", "WAITING", waitingFor="PERMISSION", error={"message": "Permission denied."})
        self.assertEqual(waiting.explanation, "PERMISSION Permission denied.")

    def test_a_job_without_a_problem_has_none(self) -> None:
        self.assertEqual(job("a", "RUNNING").explanation, "")


if __name__ == "__main__":
    unittest.main()
